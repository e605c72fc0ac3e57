from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.test import Client
from django.utils import timezone, translation

from health import receivers, snapshots
from health.models import Minute, SystemMetric
from health.samples import Sampler
from notifications.models import NotificationHistory
from orders.tests.factories import make_customer, make_order, make_user
from realtime import statistics

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 23, 4, 10, 3, tzinfo=UTC)
HOUR = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
QUIET: dict[str, Any] = {"connections": 0, "events": 0, "errors": 0, "lags": {}}


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as travelled:
        yield travelled


def make_minute(minutes_before: int, failed: int = 0, **figures: Any) -> None:
    at = HOUR - timedelta(minutes=minutes_before)
    Minute.objects.create(at=at, figures=QUIET | figures if figures else None, failed_requests=failed)


def run() -> str:
    out = StringIO()
    with translation.override("en"):
        call_command("record_metrics", stdout=out)
    return out.getvalue()


def test_the_snapshot_has_what_is_now_and_the_hour_before() -> None:
    make_minute(60, connections=10, events=60, errors=1, lags={"5": 95, "500": 5})
    make_minute(59, connections=20, events=180, errors=0, lags={"5": 100})
    make_minute(1, failed=3)
    make_minute(61, connections=99)
    make_minute(0, connections=99)
    make_order("confirmed")
    fields = {"customer": make_customer(), "kind": "order_confirmed"}
    NotificationHistory.objects.all().unannounced().delete()
    NotificationHistory.objects.create(**fields, status="sent", sent_at=timezone.now())
    NotificationHistory.objects.create(**fields, status="failed")
    run()
    made = SystemMetric.objects.get()
    assert (made.hour, made.created_at) == (HOUR, NOW)
    assert made.metrics_json == {
        "websocket_connections": 0, "notifications_sent_today": 1, "notifications_failed_today": 1, "pending": 0,
        "unknown": 0, "orders": {"confirmed": 1}, "minutes": 2, "connections": 15.0, "connections_most": 20,
        "events_per_second": 2.0, "latency_p50_ms": 3.5, "latency_p99_ms": 380.0, "errors": 1, "failed_requests": 3,
    }  # fmt: skip


def test_a_second_run_within_the_hour_changes_nothing(clock: time_machine.Traveller) -> None:
    assert "taken." in run()
    clock.shift(timedelta(minutes=45))
    assert "already" in run()
    assert SystemMetric.objects.get().created_at == NOW
    clock.shift(timedelta(minutes=5))
    assert "taken." in run()
    assert SystemMetric.objects.count() == 2


def test_an_hour_without_any_server_says_so() -> None:
    run()
    figures = SystemMetric.objects.get().metrics_json
    assert (figures["minutes"], figures["connections"], figures["latency_p99_ms"]) == (0, None, None)


def test_old_snapshots_go() -> None:
    for age in (snapshots.KEPT + timedelta(hours=1), snapshots.KEPT - timedelta(hours=1)):
        SystemMetric.objects.create(hour=HOUR - age, metrics_json={}, created_at=NOW)
    run()
    assert SystemMetric.objects.count() == 2


def test_a_clock_that_is_ahead_for_an_hour_takes_no_history(clock: time_machine.Traveller) -> None:
    for hours in range(1, 31):
        SystemMetric.objects.create(hour=HOUR - timedelta(hours=hours), metrics_json={}, created_at=NOW)
    Minute.objects.bulk_create(Minute(at=NOW - timedelta(minutes=minutes)) for minutes in range(1, 301))
    clock.shift(timedelta(days=500))
    run()
    assert (SystemMetric.objects.count(), Minute.objects.count()) == (29, 180)


def test_the_hubs_need_no_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receivers, "sampler", Sampler())
    statistics.write({"totals": {}, "lately": {"lag.5": 1}, "seconds": 60}, timezone.now())
    assert Minute.objects.values_list("figures__lags", flat=True).get() == {"5": 1}
    assert SystemMetric.objects.get().hour == HOUR


def test_the_admin_shows_them_to_be_read(client: Client) -> None:
    run()
    client.force_login(make_user(is_staff=True, is_superuser=True))
    row = SystemMetric.objects.get()
    assert client.get("/admin/health/systemmetric/").status_code == 200
    page = client.get(f"/admin/health/systemmetric/{row.pk}/change/")
    assert "notifications_sent_today" in page.content.decode()
    assert client.get("/admin/health/systemmetric/add/").status_code == 403
