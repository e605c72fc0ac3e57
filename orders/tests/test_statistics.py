from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from orders import metrics
from orders.models import Order, TimeSlot
from orders.states import OrderStatus
from orders.statistics import deadline, statistics_of
from orders.tests.factories import TODAY, make_driver, make_order, make_product

pytestmark = pytest.mark.django_db


TAIPEI = ZoneInfo("Asia/Taipei")


def make_delivered(hour: int, minute: int = 0, minutes_since_confirmed: int = 60, **fields: Any) -> Order:
    """An order that was delivered on TODAY at this time (Taipei), `minutes_since_confirmed` after its confirmation.

    Its delivery date is TODAY too, unless `fields` has another.
    """
    order = make_order(OrderStatus.DELIVERED, **fields)
    at = datetime(TODAY.year, TODAY.month, TODAY.day, hour, minute, tzinfo=TAIPEI)
    order.history.filter(to_status=OrderStatus.DELIVERED).update(at=at)
    order.history.filter(to_status=OrderStatus.CONFIRMED).update(at=at - timedelta(minutes=minutes_since_confirmed))
    return order


@pytest.mark.sqlite
def test_orders_are_counted_by_status_day_product_and_driver() -> None:
    driver, product = make_driver(name="陳"), make_product(name="16kg 瓦斯桶")
    make_order(OrderStatus.DELIVERED, driver=driver, product=product, quantity=2)
    make_order(product=product, scheduled_date=TODAY + timedelta(days=1))
    make_order(OrderStatus.CANCELLED, product=product)
    make_order(OrderStatus.ASSIGNED, driver=driver, product=product).transition_to(OrderStatus.CANCELLED, reason="測試")
    make_order(scheduled_date=TODAY + timedelta(days=2))
    found = statistics_of(TODAY, TODAY + timedelta(days=1))
    assert found["total"] == 4
    assert {status: count for status, count in found["by_status"].items() if count} == {
        "pending": 1, "delivered": 1, "cancelled": 2,
    }  # fmt: skip
    days = [(row["date"], row["orders"], row["delivered"]) for row in found["by_day"]]
    assert days == [(TODAY, 1, 1), (TODAY + timedelta(days=1), 1, 0)]
    assert found["by_product"] == [{"product": product.pk, "name": "16kg 瓦斯桶", "ordered": 3, "delivered": 2}]
    (row,) = found["by_driver"]
    assert (row["driver"], row["name"], row["orders"], row["delivered"]) == (driver.pk, "陳", 1, 1)


@pytest.mark.sqlite
def test_day_without_orders_has_a_row() -> None:
    make_order(OrderStatus.CANCELLED)
    make_order(scheduled_date=TODAY + timedelta(days=2))
    found = statistics_of(TODAY - timedelta(days=1), TODAY + timedelta(days=2))["by_day"]
    assert [(row["date"] - TODAY).days for row in found] == [-1, 0, 1, 2]
    assert [row["orders"] for row in found] == [0, 0, 0, 1]
    assert {(row["on_time_share"], row["median_minutes"], row["p90_minutes"]) for row in found} == {(None, None, None)}


@pytest.mark.sqlite
def test_delivery_by_end_of_slot_in_taipei_is_on_time() -> None:
    make_delivered(12, 0, time_slot=TimeSlot.MORNING)
    make_delivered(12, 1, time_slot=TimeSlot.MORNING)
    make_delivered(23, 59, time_slot=TimeSlot.ANYTIME)
    make_delivered(9, 0, scheduled_date=TODAY - timedelta(days=1))
    assert statistics_of(TODAY - timedelta(days=1), TODAY)["on_time_share"] == 0.5


@pytest.mark.sqlite
def test_minutes_count_from_last_confirmation() -> None:
    for minutes in (30, 50, 600):
        make_delivered(10, minutes_since_confirmed=minutes)
    twice = make_delivered(10, minutes_since_confirmed=45)
    first = twice.history.get(to_status=OrderStatus.CONFIRMED)
    first.pk = None
    first.at -= timedelta(days=1)
    first.save()
    assert statistics_of(TODAY, TODAY)["median_minutes"] == 47.5


@pytest.mark.sqlite
def test_unassigning_does_not_count_as_confirmation() -> None:
    now = timezone.now()
    order = make_order(OrderStatus.CONFIRMED)
    order.history.filter(to_status=OrderStatus.CONFIRMED).update(at=now - timedelta(hours=5))
    for driver in (make_driver(), None, make_driver()):
        order.assign(driver)
    for status in (OrderStatus.DELIVERING, OrderStatus.ARRIVING, OrderStatus.DELIVERED):
        order.transition_to(status)
    order.history.filter(to_status=OrderStatus.DELIVERED).update(at=now)
    assert statistics_of(TODAY, TODAY)["median_minutes"] == 300


@pytest.mark.sqlite
def test_next_attempt_counts_from_its_confirmation() -> None:
    order = make_order(OrderStatus.FAILED)
    order.history.filter(to_status=OrderStatus.CONFIRMED).update(at=timezone.now() - timedelta(hours=5))
    for status in (
        OrderStatus.CONFIRMED,
        OrderStatus.ASSIGNED,
        OrderStatus.DELIVERING,
        OrderStatus.ARRIVING,
        OrderStatus.DELIVERED,
    ):
        order.transition_to(status, **({"driver": make_driver()} if status == OrderStatus.ASSIGNED else {}))
    assert statistics_of(TODAY, TODAY)["median_minutes"] == 0


@pytest.mark.sqlite
def test_punctuality_is_computed_by_day_and_driver() -> None:
    fast, slow = make_driver(name="一"), make_driver(name="二")
    for minutes in (30, 40, 50):
        make_delivered(10, minutes_since_confirmed=minutes, driver=fast, time_slot=TimeSlot.MORNING)
    make_delivered(13, minutes_since_confirmed=100, driver=slow, time_slot=TimeSlot.MORNING)
    found = statistics_of(TODAY, TODAY)
    by_driver = {
        row["name"]: (row["on_time_share"], row["median_minutes"], row["p90_minutes"]) for row in found["by_driver"]
    }
    assert by_driver == {"一": (1.0, 40.0, 48.0), "二": (0.0, 100.0, 100.0)}
    (day,) = found["by_day"]
    assert (day["on_time_share"], day["median_minutes"], day["p90_minutes"]) == (0.75, 45.0, 85.0)
    assert (found["on_time_share"], found["median_minutes"], found["p90_minutes"]) == (0.75, 45.0, 85.0)


@pytest.mark.sqlite
def test_punctuality_is_none_without_deliveries() -> None:
    make_order()
    found = statistics_of(TODAY, TODAY)
    assert (found["delivered"], found["on_time_share"], found["median_minutes"]) == (0, None, None)


@pytest.mark.sqlite
def test_query_count_is_constant(django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    for _ in range(5):
        make_delivered(10)
    with django_assert_num_queries(5):
        statistics_of(TODAY, TODAY)


@pytest.mark.sqlite
@pytest.mark.parametrize("slot", TimeSlot.values)
def test_every_slot_has_deadline_in_taipei_time(slot: str) -> None:
    assert deadline(TODAY, slot).utcoffset() == timedelta(hours=8)


def test_metric_counts_open_recent_and_future_orders_in_one_query(django_assert_num_queries: Any) -> None:
    today = timezone.localdate()
    make_order()
    make_order(scheduled_date=today - timedelta(days=7))
    make_order(OrderStatus.CONFIRMED, scheduled_date=today - timedelta(days=99))
    make_order(OrderStatus.DELIVERED)
    make_order(OrderStatus.DELIVERED, scheduled_date=today - timedelta(days=8))
    with django_assert_num_queries(1):
        (family,) = metrics.orders_by_status()
    found = {sample.labels["status"]: sample.value for sample in family.samples}
    assert found.keys() == set(OrderStatus)
    assert {name: count for name, count in found.items() if count} == {"pending": 2, "confirmed": 1, "delivered": 1}
