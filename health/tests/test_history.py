from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from health import history
from notifications.models import NotificationHistory
from orders.tests.factories import make_customer, make_order
from web.models import SystemMetric
from web.system_metrics import MINUTE
from web.tests.metrics_rows import lags, make_minute

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 23, 4, 10, 30, tzinfo=UTC)
HOUR = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
COUNTS = {"luckygas_events_numbered_total": 120, "luckygas_websocket_errors_total forbidden": 2} | lags(ms_5=10)
GAUGES = {"luckygas_websocket_connections office ws": 7, "luckygas_orders pending": 3, "luckygas_orders delivered": 9}


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def make_message(at: datetime, status: str) -> None:
    NotificationHistory.objects.create(
        customer=make_customer(), kind="order_confirmed", status=status, created_at=at, sent_at=at
    )


def test_the_hour_is_sixty_minutes_and_a_gap_where_nobody_counted() -> None:
    make_minute(NOW - MINUTE, COUNTS | {"luckygas_http_requests_total GET / 500": 1}, GAUGES)
    for minute, status in ((9, "sent"), (9, "failed"), (9, "sent")):
        make_message(NOW.replace(minute=minute), status)
    found = history.last_hour(NOW)
    assert (len(found), found[0].label, found[-1].label) == (60, "11:10", "12:09")
    newest, before = found[-1], found[-2]
    assert (newest.figures["connections"], newest.figures["events_per_second"]) == (7, 2.0)
    assert (newest.figures["failed_requests"], newest.orders) == (1, {"pending": 3})
    assert newest.messages == {"sent": 2, "failed": 1}
    assert (before.figures["connections"], before.figures["failed_requests"], before.orders) == (None, 0, None)


def test_the_day_is_the_snapshots_and_the_present_hour_so_far() -> None:
    summed = history.summed([make_minute(HOUR, COUNTS, GAUGES)]) | {"orders": {"pending": 9}}
    for back in (1, 23, 24):
        SystemMetric.objects.create(span="hour", at=HOUR - timedelta(hours=back), metrics_json=summed)
    make_minute(HOUR + MINUTE, {}, {"luckygas_websocket_connections office ws": 11})
    make_order("confirmed")
    make_message(HOUR - timedelta(minutes=30), "delivered")
    found = history.last_day(NOW)
    assert (len(found), found[0].label, found[-1].label) == (24, "13:00", "12:00")
    assert [moment.figures["connections"] for moment in found] == [7, *[None] * 21, 7, 9]
    assert (found[-1].orders, found[-2].orders, found[0].orders) == ({"confirmed": 1}, {"pending": 9}, {"pending": 9})
    assert found[-2].messages["delivered"] == 1


def test_both_take_few_queries_however_much_there_is(django_assert_max_num_queries: Any) -> None:
    for minute in range(10):
        make_minute(HOUR + timedelta(minutes=minute), COUNTS, GAUGES)
    with django_assert_max_num_queries(2):
        history.last_hour(NOW)
    with django_assert_max_num_queries(4):
        history.last_day(NOW)
