"""Figures about orders over a period of delivery dates, in a constant number of queries."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import Count, Max, Q, Sum
from django.utils import timezone

from orders.models import Order, OrderItem, TimeSlot
from orders.models.queries import OrderQuerySet
from orders.states import Status

DEFAULT_DAYS = 30
MOST_DAYS = 366
# When a slot is over, as its label says; any time means by the end of the day.
SLOT_ENDS: dict[str, time] = {
    TimeSlot.MORNING: time(12),
    TimeSlot.AFTERNOON: time(17),
    TimeSlot.EVENING: time(21),
    TimeSlot.ANYTIME: time.max,
}


def statistics_of(first: date, last: date) -> dict[str, Any]:
    """Counts by status, day, product and driver, and how punctual the deliveries were."""
    orders = Order.objects.filter(scheduled_date__range=(first, last)).order_by()
    by_status = dict(orders.values_list("status").annotate(count=Count("id")))
    return {
        "from": first,
        "to": last,
        "total": sum(by_status.values()),
        "by_status": {status.value: by_status.get(status.value, 0) for status in Status},
        "by_day": list(_by_day(orders)),
        "by_product": list(_by_product(first, last)),
        "by_driver": list(_by_driver(orders)),
        **_punctuality(orders),
    }


DELIVERED = Count("id", filter=Q(status=Status.DELIVERED))


def _by_day(orders: OrderQuerySet) -> Iterable[dict[str, Any]]:
    days = orders.values("scheduled_date").annotate(orders=Count("id"), delivered=DELIVERED).order_by("scheduled_date")
    return ({"date": row.pop("scheduled_date"), **row} for row in days)


def _by_driver(orders: OrderQuerySet) -> Iterable[dict[str, Any]]:
    given = orders.exclude(driver=None).values("driver", "driver__name")
    rows = given.annotate(orders=Count("id"), delivered=DELIVERED).order_by("driver__name", "driver")
    return ({"driver": row.pop("driver"), "name": row.pop("driver__name"), **row} for row in rows)


def _by_product(first: date, last: date) -> Iterable[dict[str, Any]]:
    """Cylinders ordered, and delivered, without cancelled orders."""
    items = OrderItem.objects.filter(order__scheduled_date__range=(first, last))
    items = items.exclude(order__status=Status.CANCELLED)
    sums = items.values("product", "product__name").annotate(
        ordered=Sum("quantity"), delivered=Sum("quantity_delivered")
    )
    for row in sums.order_by("product__cylinder_kg", "product"):
        yield {
            "product": row["product"],
            "name": row["product__name"],
            "ordered": row["ordered"],
            "delivered": row["delivered"] or 0,
        }


def _punctuality(orders: OrderQuerySet) -> dict[str, Any]:
    """The share delivered before the promised slot was over, and the median from the last confirmation to the door."""
    delivered_at = Max("history__at", filter=Q(history__to_status=Status.DELIVERED))
    confirmed_at = Max("history__at", filter=Q(history__to_status=Status.CONFIRMED))
    delivered = orders.filter(status=Status.DELIVERED).annotate(delivered_at=delivered_at, confirmed_at=confirmed_at)
    rows = list(delivered.values_list("scheduled_date", "time_slot", "confirmed_at", "delivered_at"))
    punctual = sum(done <= deadline(day, slot) for day, slot, _, done in rows)
    minutes = [(done - confirmed) / timedelta(minutes=1) for _, _, confirmed, done in rows if confirmed]
    return {
        "delivered": len(rows),
        "on_time_share": round(punctual / len(rows), 4) if rows else None,
        "median_minutes": round(statistics.median(minutes), 1) if minutes else None,
    }


def deadline(day: date, slot: str) -> datetime:
    """The moment, in Taipei's time, by which an order for this slot was promised."""
    return timezone.make_aware(datetime.combine(day, SLOT_ENDS[slot]))
