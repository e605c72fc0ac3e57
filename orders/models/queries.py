"""The queryset of orders: named filters, counts and the search."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING

from django.db.models import Case, Count, F, Q, When, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from customers.models import phone_matches, text_matches
from orders import numbers
from orders.states import ON_THE_ROAD, OPEN, OrderStatus
from web.text import remove_invisible
from web.tracked import AnnouncedQuerySet

if TYPE_CHECKING:
    from orders.models.order import Order  # noqa: F401  (the base class's parameter)


class OrderQuerySet(AnnouncedQuerySet["Order"]):
    to_change = "orders.services.bulk_update"
    to_add = "orders.services.place"
    to_remove = "orders.models.Order.transition_to"  # an order is cancelled, never deleted

    def open(self) -> OrderQuerySet:
        """Orders that are neither delivered nor cancelled."""
        return self.filter(status__in=OPEN)

    def by_status(self) -> Counter[str]:
        return Counter(dict(self.order_by().values_list("status").annotate(Count("pk"))))

    def urgent(self) -> OrderQuerySet:
        return self.filter(priority="urgent")

    def of_day(self, day: date) -> OrderQuerySet:
        """Orders that are scheduled for that day, or were last changed on it (Taipei time)."""
        start = timezone.make_aware(datetime.combine(day, time()))
        changed = Q(updated_at__gte=start, updated_at__lt=start + timedelta(days=1))
        return self.filter(Q(scheduled_date=day) | changed)

    def locked(self) -> OrderQuerySet:
        """Locks the rows until the transaction ends (SELECT FOR NO KEY UPDATE).

        The query joins no table: after it waited for a lock, joined rows would be stale while the order is fresh.
        """
        return self.select_related(None).select_for_update(of=("self",), no_key=True)

    def newest_of_each_customer(self, count: int) -> OrderQuerySet:
        place = Window(RowNumber(), partition_by="customer_id", order_by="-id")
        return self.alias(place=place).filter(place__lte=count)

    def next_stops(self, drivers: Collection[int]) -> dict[int, int]:
        """Maps the id of each driver to the id of their next order: the arriving one, or else the next stop.

        Leaves out drivers without an order on the road.
        """
        arriving_first = Case(When(status=OrderStatus.ARRIVING, then=0), default=1)
        stop = F("stop_sequence").asc(nulls_last=True)
        ahead = self.filter(driver__in=drivers, status__in=ON_THE_ROAD)
        found: dict[int, int] = {}
        for driver, order in ahead.order_by(arriving_first, stop, "scheduled_date", "id").values_list("driver", "pk"):
            found.setdefault(driver, order)
        return found

    def search(self, text: str, with_phones: Q | None = None) -> OrderQuerySet:
        """Matches part of the order number, the customer's name, the address, or a telephone's digits.

        An empty text matches all orders. `with_phones` limits the orders whose telephones are searched. By default all
        are searched.
        """
        text = remove_invisible(text).strip()[:100]
        found = text_matches(text, "customer__name", "delivery_address")
        found |= Q(order_number__contains=numbers.normalise_order_number(text))
        has_phone = phone_matches(text, "contains", "customer__phone", "customer__phone2")
        found |= has_phone & (with_phones or Q())
        return self.filter(found) if text else self
