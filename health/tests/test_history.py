from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from health import history, snapshots
from health.models import Minute, SystemMetric
from notifications.models import NotificationHistory
from orders.tests.factories import make_customer, make_order

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 23, 4, 10, 30, tzinfo=UTC)
HOUR = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
FIGURES: dict[str, Any] = {"connections": 7, "events": 120, "errors": 2, "lags": {"5": 10}, "orders": {"pending": 3}}


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def make_message(at: datetime, status: str) -> None:
    NotificationHistory.objects.create(
        customer=make_customer(), kind="order_confirmed", status=status, created_at=at, sent_at=at
    )


def test_the_hour_is_sixty_minutes_and_a_gap_where_nobody_counted() -> None:
    Minute.objects.create(at=datetime(2026, 11, 23, 4, 9, tzinfo=UTC), figures=FIGURES, failed_requests=1)
    Minute.objects.create(at=datetime(2026, 11, 23, 4, 8, tzinfo=UTC), failed_requests=4)
    for minute, status in ((9, "sent"), (9, "failed"), (9, "sent")):
        make_message(NOW.replace(minute=minute), status)
    found = history.last_hour(NOW)
    assert (len(found), found[0].label, found[-1].label) == (60, "11:10", "12:09")
    newest, before = found[-1], found[-2]
    assert (newest.figures["connections"], newest.figures["events_per_second"]) == (7, 2.0)
    assert (newest.figures["failed_requests"], newest.orders) == (1, {"pending": 3})
    assert newest.messages == {"sent": 2, "failed": 1}
    assert (before.figures["connections"], before.figures["failed_requests"], before.orders) == (None, 4, None)


def test_the_day_is_the_snapshots_and_the_present_hour_so_far() -> None:
    summed = snapshots.summed([Minute(at=HOUR, figures=FIGURES)]) | {"orders": {"pending": 9}}
    for hour in (HOUR, HOUR - timedelta(hours=22), HOUR - timedelta(hours=23)):
        SystemMetric.objects.create(hour=hour, created_at=NOW, metrics_json=summed)
    Minute.objects.create(at=HOUR, figures=FIGURES | {"connections": 11})
    make_order("confirmed")
    make_message(HOUR - timedelta(minutes=30), "delivered")
    found = history.last_day(NOW)
    assert (len(found), found[0].label, found[-1].label) == (24, "13:00", "12:00")
    assert [moment.figures["connections"] for moment in found] == [7, *[None] * 21, 7, 11]
    assert (found[-1].orders, found[-2].orders, found[0].orders) == ({"confirmed": 1}, {"pending": 9}, {"pending": 9})
    assert found[-2].messages["delivered"] == 1


def test_both_take_few_queries_however_much_there_is(django_assert_max_num_queries: Any) -> None:
    for minute in range(10):
        Minute.objects.create(at=HOUR + timedelta(minutes=minute), figures=FIGURES)
    with django_assert_max_num_queries(2):
        history.last_hour(NOW)
    with django_assert_max_num_queries(4):
        history.last_day(NOW)
