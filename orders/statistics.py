"""Order statistics for a period of delivery dates, in a constant number of queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from functools import lru_cache, partial
from typing import Any, NamedTuple

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import Count, F, Max, Model, Q, Sum
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from orders.models import Order, OrderItem, TimeSlot
from orders.models.queries import OrderQuerySet
from orders.states import OrderStatus
from web import caching
from web.limits import YEAR
from web.timings import measure

# The default period has 30 days: its first day is this long before its last day.
LAST_DAYS = timedelta(days=29)
MINUTE = timedelta(minutes=1)
# The end of each slot, as in its label. "Any time" ends with the day.
SLOT_ENDS: dict[str, time] = {
    TimeSlot.MORNING: time(12),
    TimeSlot.AFTERNOON: time(17),
    TimeSlot.EVENING: time(21),
    TimeSlot.ANYTIME: time.max,
}
DAY_OUTSIDE_LIMITS = _("Please give a day from 2000-01-01 to 2100-01-01.")
DAY_LIMITS = [
    MinValueValidator(date(2000, 1, 1), DAY_OUTSIDE_LIMITS),
    MaxValueValidator(date(2100, 1, 1), DAY_OUTSIDE_LIMITS),
]


class PeriodForm(forms.Form):
    """The query `?from=&to=`, both days included. `days` is the period.

    Without `to` it ends today; without `from` it has 30 days. If the query is invalid, `days` are the last 30 days.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("from", "to"):  # `from` is a Python keyword, so it cannot be a class attribute
            self.fields[name] = forms.DateField(required=False, input_formats=["%Y-%m-%d"], validators=DAY_LIMITS)

    def clean(self) -> None:
        today = timezone.localdate()
        self.days = today - LAST_DAYS, today
        if self.errors:
            return
        last = self.cleaned_data["to"] or today
        first = self.cleaned_data["from"] or last - LAST_DAYS
        if first > last:
            self.add_error(
                "from",
                _(
                    "The first day is after the last day. Without a last day, the period ends today. "
                    "Please correct the days."
                ),
            )
        elif last - first >= YEAR:
            self.add_error("from", _("The period is longer than %d days. Please shorten it.") % YEAR.days)
        else:
            self.days = first, last


def period(query: Mapping[str, str]) -> tuple[tuple[date, date], dict[str, list[str]]]:
    """The first and last day, and errors by field. With errors, the days are the last 30 days."""
    form = PeriodForm(query)
    errors = {name: list(map(str, texts)) for name, texts in form.errors.items()}
    return form.days, errors


def cached_statistics(first: date, last: date) -> dict[str, Any]:
    """`statistics_of` with dates as text.

    Cached (see `web.caching`) for a minute at most, until an order, product or driver is saved.
    """
    figures: dict[str, Any] = caching.cached_answer(caching.STATISTICS, (first, last), partial(_compute, first, last))
    return figures


def expire_statistics(sender: type[Model], **kwargs: Any) -> None:
    """Receiver of `post_save` that expires the cache. Items and moves are saved with their order, which triggers it."""
    caching.invalidate(caching.STATISTICS)


@measure("statistics")
def _compute(first: date, last: date) -> dict[str, Any]:
    """`statistics_of` with dates as text, because the cache stores JSON."""
    figures = statistics_of(first, last)
    by_day = [row | {"date": str(row["date"])} for row in figures["by_day"]]
    return figures | {"from": str(first), "to": str(last), "by_day": by_day}


def statistics_of(first: date, last: date) -> dict[str, Any]:
    """Counts by status, day, product and driver, and the punctuality of deliveries.

    `total` and `by_status` count all orders; the other figures exclude cancelled ones. Every day has a row.
    """
    orders = Order.objects.filter(scheduled_date__range=(first, last)).order_by()
    not_cancelled = orders.exclude(status=OrderStatus.CANCELLED)
    by_status = orders.by_status()
    delivered = deliveries(orders)
    days, drivers = _group(delivered, "day"), _group(delivered, "driver")
    return {
        "from": first,
        "to": last,
        "total": by_status.total(),
        "by_status": {status.value: by_status[status] for status in OrderStatus},
        "by_day": [row | punctuality(days[row["date"]]) for row in _by_day(not_cancelled, first, last)],
        "by_product": list(_by_product(first, last)),
        "by_driver": [row | punctuality(drivers[row["driver"]]) for row in _by_driver(not_cancelled)],
        "delivered": len(delivered),
        **punctuality(delivered),
    }


DELIVERED_COUNT = Count("id", filter=Q(status=OrderStatus.DELIVERED))


def _by_day(orders: OrderQuerySet, first: date, last: date) -> Iterable[dict[str, Any]]:
    counted = orders.values(date=F("scheduled_date")).annotate(orders=Count("id"), delivered=DELIVERED_COUNT)
    found = {row["date"]: row for row in counted}
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    return [found.get(day, {"date": day, "orders": 0, "delivered": 0}) for day in days]


def _by_driver(orders: OrderQuerySet) -> Iterable[dict[str, Any]]:
    assigned = orders.exclude(driver=None).values("driver", name=F("driver__name"))
    return assigned.annotate(orders=Count("id"), delivered=DELIVERED_COUNT).order_by("name", "driver")


def _by_product(first: date, last: date) -> Iterable[dict[str, Any]]:
    """Cylinders ordered and delivered of each product."""
    items = OrderItem.objects.filter(order__scheduled_date__range=(first, last))
    items = items.exclude(order__status=OrderStatus.CANCELLED)
    delivered = Coalesce(Sum("quantity_delivered"), 0)
    sums = items.values("product", name=F("product__name")).annotate(ordered=Sum("quantity"), delivered=delivered)
    return sums.order_by("product__cylinder_kg", "product")


class Delivery(NamedTuple):
    """One delivered order. `day` is its delivery date, `driver` the driver's id.

    `minutes` counts from its last confirmation; None if it was never confirmed.
    """

    day: date
    driver: int | None
    is_on_time: bool
    minutes: float | None


# Taking an order from its driver also moves it to “confirmed”. That does not count as a confirmation.
CONFIRMATION = Q(
    history__to_status=OrderStatus.CONFIRMED, history__from_status__in=[OrderStatus.PENDING, OrderStatus.FAILED]
)


def deliveries(orders: OrderQuerySet) -> list[Delivery]:
    """The deliveries among `orders`, in one query. On time means by the end of the promised slot."""
    delivered_at = Max("history__at", filter=Q(history__to_status=OrderStatus.DELIVERED))
    confirmed_at = Max("history__at", filter=CONFIRMATION)
    # Reading only these two kinds of moves, and grouping by few columns, makes the query cheaper.
    steps = orders.filter(
        status=OrderStatus.DELIVERED, history__to_status__in=[OrderStatus.CONFIRMED, OrderStatus.DELIVERED]
    )
    by_order = steps.values_list("scheduled_date", "driver", "time_slot", "pk")
    rows = by_order.annotate(confirmed_at=confirmed_at, delivered_at=delivered_at)
    return [
        Delivery(day, driver, done <= deadline(day, slot), (done - confirmed) / MINUTE if confirmed else None)
        for day, driver, slot, _pk, confirmed, done in rows
    ]


def _group(delivered: Iterable[Delivery], by: str) -> defaultdict[Any, list[Delivery]]:
    found: defaultdict[Any, list[Delivery]] = defaultdict(list)
    for delivery in delivered:
        found[getattr(delivery, by)].append(delivery)
    return found


def punctuality(delivered: list[Delivery]) -> dict[str, float | None]:
    """The share on time (0 to 1), and the median and 90th percentile of minutes. Each is None without values."""
    minutes = sorted(delivery.minutes for delivery in delivered if delivery.minutes is not None)
    return {
        "on_time_share": round(sum(delivery.is_on_time for delivery in delivered) / len(delivered), 4)
        if delivered
        else None,
        "median_minutes": quantile(minutes, 0.5),
        "p90_minutes": quantile(minutes, 0.9),
    }


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """The quantile at `share` (0 to 1), by linear interpolation; None if `ordered` is empty."""
    if not ordered:
        return None
    place, rest = divmod(share * (len(ordered) - 1), 1)
    below, above = ordered[int(place)], ordered[min(int(place) + 1, len(ordered) - 1)]
    return round(below + (above - below) * rest, 1)


@lru_cache(maxsize=2 * YEAR.days)
def deadline(day: date, slot: str) -> datetime:
    """The moment, in Taipei time, by which an order for this slot is due."""
    return timezone.make_aware(datetime.combine(day, SLOT_ENDS[slot]))
