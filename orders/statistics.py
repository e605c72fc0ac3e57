"""Figures about orders over a period of delivery dates, in a constant number of queries."""

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
from orders.states import Status
from web import caching
from web.limits import YEAR
from web.timings import measured

# The usual period: 30 days with today.
LAST_DAYS = timedelta(days=29)
MINUTE = timedelta(minutes=1)
# When a slot is over, as its label says; any time means by the end of the day.
SLOT_ENDS: dict[str, time] = {
    TimeSlot.MORNING: time(12),
    TimeSlot.AFTERNOON: time(17),
    TimeSlot.EVENING: time(21),
    TimeSlot.ANYTIME: time.max,
}
OUTSIDE = _("Please give a day between 2000 and 2100.")
SENSIBLE = [MinValueValidator(date(2000, 1, 1), OUTSIDE), MaxValueValidator(date(2100, 1, 1), OUTSIDE)]


class PeriodForm(forms.Form):
    """`?from=&to=`, both days included; `days` are the last 30 where nothing, or something wrong, is said."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("from", "to"):  # `from` cannot be the name of an attribute
            self.fields[name] = forms.DateField(required=False, input_formats=["%Y-%m-%d"], validators=SENSIBLE)

    def clean(self) -> None:
        today = timezone.localdate()
        self.days = today - LAST_DAYS, today
        if self.errors:
            return
        last = self.cleaned_data["to"] or today
        first = self.cleaned_data["from"] or last - LAST_DAYS
        if first > last:
            self.add_error("from", _("The last day is before the first day. Please swap them."))
        elif last - first >= YEAR:
            self.add_error("from", _("The period is longer than %d days. Please shorten it.") % YEAR.days)
        else:
            self.days = first, last


def period(query: Mapping[str, str]) -> tuple[tuple[date, date], dict[str, list[str]]]:
    """The first and last day that are asked for, and what is wrong with them; the usual ones where something is."""
    form = PeriodForm(query)
    wrong = {name: list(map(str, texts)) for name, texts in form.errors.items()}
    return form.days, wrong


def cached(first: date, last: date) -> dict[str, Any]:
    """`statistics_of` as JSON, from the cache while nothing changed."""
    answer: dict[str, Any] = caching.answer(caching.STATISTICS, (first, last), partial(_made, first, last))
    return answer


def changed(sender: type[Model], **kwargs: Any) -> None:
    """Receiver of `post_save` of what the figures tell of; items and moves are saved with their order."""
    caching.changed(caching.STATISTICS)


@measured("statistics")
def _made(first: date, last: date) -> dict[str, Any]:
    """Days as text, as the cache gives them back."""
    figures = statistics_of(first, last)
    by_day = [row | {"date": str(row["date"])} for row in figures["by_day"]]
    return figures | {"from": str(first), "to": str(last), "by_day": by_day}


def statistics_of(first: date, last: date) -> dict[str, Any]:
    """Counts by status, day, product and driver, and how punctual the deliveries were.

    `total` and `by_status` are of all orders, the rest is without those that were cancelled. Each day has a row.
    """
    orders = Order.objects.filter(scheduled_date__range=(first, last)).order_by()
    standing = orders.exclude(status=Status.CANCELLED)
    by_status = orders.by_status()
    made = deliveries(orders)
    days, drivers = _grouped(made, "day"), _grouped(made, "driver")
    return {
        "from": first,
        "to": last,
        "total": by_status.total(),
        "by_status": {status.value: by_status[status] for status in Status},
        "by_day": [row | punctuality(days[row["date"]]) for row in _by_day(standing, first, last)],
        "by_product": list(_by_product(first, last)),
        "by_driver": [row | punctuality(drivers[row["driver"]]) for row in _by_driver(standing)],
        "delivered": len(made),
        **punctuality(made),
    }


DELIVERED = Count("id", filter=Q(status=Status.DELIVERED))


def _by_day(orders: OrderQuerySet, first: date, last: date) -> Iterable[dict[str, Any]]:
    counted = orders.values(date=F("scheduled_date")).annotate(orders=Count("id"), delivered=DELIVERED)
    found = {row["date"]: row for row in counted}
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    return [found.get(day, {"date": day, "orders": 0, "delivered": 0}) for day in days]


def _by_driver(orders: OrderQuerySet) -> Iterable[dict[str, Any]]:
    given = orders.exclude(driver=None).values("driver", name=F("driver__name"))
    return given.annotate(orders=Count("id"), delivered=DELIVERED).order_by("name", "driver")


def _by_product(first: date, last: date) -> Iterable[dict[str, Any]]:
    """Cylinders ordered, and delivered."""
    items = OrderItem.objects.filter(order__scheduled_date__range=(first, last))
    items = items.exclude(order__status=Status.CANCELLED)
    delivered = Coalesce(Sum("quantity_delivered"), 0)
    sums = items.values("product", name=F("product__name")).annotate(ordered=Sum("quantity"), delivered=delivered)
    return sums.order_by("product__cylinder_kg", "product")


class Delivery(NamedTuple):
    """`minutes`: from the last confirmation to the door; None where it was never confirmed."""

    day: date
    driver: int | None
    is_on_time: bool
    minutes: float | None


# An order that is taken from its driver becomes “confirmed” too, and was so before.
CONFIRMATION = Q(history__to_status=Status.CONFIRMED, history__from_status__in=[Status.PENDING, Status.FAILED])


def deliveries(orders: OrderQuerySet) -> list[Delivery]:
    """Of those delivered, in one query. On time: before the promised slot was over."""
    delivered_at = Max("history__at", filter=Q(history__to_status=Status.DELIVERED))
    confirmed_at = Max("history__at", filter=CONFIRMATION)
    # The other steps need not be read, and to group by these columns costs less than by all that an order has.
    steps = orders.filter(status=Status.DELIVERED, history__to_status__in=[Status.CONFIRMED, Status.DELIVERED])
    by_order = steps.values_list("scheduled_date", "driver", "time_slot", "pk")
    rows = by_order.annotate(confirmed_at=confirmed_at, delivered_at=delivered_at)
    return [
        Delivery(day, driver, done <= deadline(day, slot), (done - begun) / MINUTE if begun else None)
        for day, driver, slot, _pk, begun, done in rows
    ]


def _grouped(made: Iterable[Delivery], by: str) -> defaultdict[Any, list[Delivery]]:
    found: defaultdict[Any, list[Delivery]] = defaultdict(list)
    for delivery in made:
        found[getattr(delivery, by)].append(delivery)
    return found


def punctuality(made: list[Delivery]) -> dict[str, float | None]:
    """The share on time, and in how many minutes half and nine tenths of them were there; None without any."""
    minutes = sorted(delivery.minutes for delivery in made if delivery.minutes is not None)
    return {
        "on_time_share": round(sum(delivery.is_on_time for delivery in made) / len(made), 4) if made else None,
        "median_minutes": quantile(minutes, 0.5),
        "p90_minutes": quantile(minutes, 0.9),
    }


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """By linear interpolation between neighbours; None of nothing."""
    if not ordered:
        return None
    place, rest = divmod(share * (len(ordered) - 1), 1)
    below, above = ordered[int(place)], ordered[min(int(place) + 1, len(ordered) - 1)]
    return round(below + (above - below) * rest, 1)


@lru_cache(maxsize=2 * YEAR.days)
def deadline(day: date, slot: str) -> datetime:
    """The moment, in Taipei's time, by which an order for this slot was promised."""
    return timezone.make_aware(datetime.combine(day, SLOT_ENDS[slot]))
