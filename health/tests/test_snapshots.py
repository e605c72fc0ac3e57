from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
import time_machine
from asgiref.sync import sync_to_async
from django.core.management import call_command
from django.test import Client
from django.utils import timezone, translation

from health import history
from health.history import failed_requests
from luckygas.testing.site import Site
from notifications.models import NotificationHistory
from orders.tests.factories import make_customer, make_office, make_order, make_user
from realtime.tests.client import open_client, token_for
from web.models import SystemMetric, WrittenCounts
from web.system_metrics import HOUR, MINUTE, write
from web.tests.metrics_rows import lags, make_minute, reset_counts
from web.timings import instance

pytestmark = pytest.mark.django_db


NOW = datetime(2026, 11, 23, 4, 10, 3, tzinfo=UTC)
THIS_HOUR = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
EVENTS, ERRORS = "luckygas_events_numbered_total", "luckygas_websocket_errors_total forbidden"
OFFICE, DRIVERS = "luckygas_websocket_connections office ws", "luckygas_websocket_connections driver driver"
FAILED = "luckygas_http_requests_total GET / 500"


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as travelled:
        yield travelled


def take_snapshot() -> str:
    out = StringIO()
    with translation.override("en"):
        call_command("record_metrics", stdout=out)
    return out.getvalue()


def make_hour(at: datetime) -> None:
    SystemMetric.objects.create(span="hour", at=at)


def hours() -> list[datetime]:
    return list(SystemMetric.objects.filter(span="hour").values_list("at", flat=True))


def test_snapshot_has_present_figures_and_the_last_hour() -> None:
    make_minute(THIS_HOUR - 60 * MINUTE, {EVENTS: 60, ERRORS: 1} | lags(ms_5=95, ms_500=5), {OFFICE: 7, DRIVERS: 3})
    make_minute(THIS_HOUR - 59 * MINUTE, {EVENTS: 180, FAILED: 3} | lags(ms_5=100), {OFFICE: 20})
    make_minute(THIS_HOUR - 61 * MINUTE, {EVENTS: 99}, {OFFICE: 99})
    make_minute(THIS_HOUR, {EVENTS: 99}, {OFFICE: 99})
    make_order("confirmed")
    fields = {"customer": make_customer(), "kind": "order_confirmed"}
    NotificationHistory.objects.all().unannounced().delete()
    NotificationHistory.objects.create(**fields, status="sent", sent_at=timezone.now())
    NotificationHistory.objects.create(**fields, status="failed")
    take_snapshot()
    row = SystemMetric.objects.get(span="hour")
    assert (row.at, row.created_at) == (THIS_HOUR - HOUR, NOW)
    assert row.metrics_json == {
        "websocket_connections": 0, "notifications_sent_today": 1, "notifications_failed_today": 1, "pending": 0,
        "unknown": 0, "orders": {"confirmed": 1}, "minutes": 2, "connections": 15.0, "connections_most": 20,
        "events_per_second": 2.0, "latency_p50_ms": 3.5, "latency_p99_ms": 380.0, "errors": 1, "failed_requests": 3,
    }  # fmt: skip


def test_a_second_run_within_the_hour_changes_nothing(clock: time_machine.Traveller) -> None:
    assert "taken." in take_snapshot()
    clock.shift(timedelta(minutes=45))
    assert "already" in take_snapshot()
    assert SystemMetric.objects.get().created_at == NOW
    clock.shift(timedelta(minutes=5))
    assert "taken." in take_snapshot()
    assert len(hours()) == 2


def test_hour_without_servers_has_empty_figures() -> None:
    take_snapshot()
    figures = SystemMetric.objects.get().metrics_json
    assert (figures["minutes"], figures["connections"], figures["latency_p99_ms"]) == (0, None, None)


def test_old_rows_are_deleted() -> None:
    for age in (history.MAX_HOUR_AGE + HOUR, history.MAX_HOUR_AGE - 2 * HOUR):
        make_hour(THIS_HOUR - age)
    for age in (history.MAX_MINUTE_AGE + MINUTE, history.MAX_MINUTE_AGE - MINUTE):
        make_minute(NOW - age)
    take_snapshot()
    assert (len(hours()), SystemMetric.objects.filter(span="minute").count()) == (2, 1)


def test_written_counts_expire_by_process_or_directory() -> None:
    directory = "0123456789abcdef" * 2
    for name, age in {instance(): 3, "host:1:abcdef": 3, "host:2:abcdef": 1, directory: 300, "f" * 32: 401}.items():
        WrittenCounts.objects.update_or_create(pk=name, defaults={"at": NOW - timedelta(days=age)})
    write(every=0)
    take_snapshot()
    assert set(WrittenCounts.objects.values_list("name", flat=True)) == {instance(), "host:2:abcdef", directory}


def test_fast_clock_deletes_at_most_two_hours_of_figures(clock: time_machine.Traveller) -> None:
    for number in range(1, 31):
        make_hour(THIS_HOUR - number * HOUR)
    for number in range(1, 301):
        make_minute(NOW - number * MINUTE)
    clock.shift(timedelta(days=500))
    take_snapshot()
    assert (len(hours()), SystemMetric.objects.filter(span="minute").count()) == (29, 180)


def test_first_write_of_a_minute_takes_a_missing_snapshot() -> None:
    reset_counts()
    write(every=0)
    write(every=0)
    assert hours() == [THIS_HOUR - HOUR]


@pytest.mark.parametrize(
    ("counts", "failed"),
    [
        ({"GET / 500": 1, "PATCH /api/v1/orders/<pk>/ 503": 2}, 3),
        ({"GET / 200": 1, "GET / 404": 1, "GET /health/ready 503": 1}, 0),
    ],
)
def test_5xx_counts_as_failed_request_except_for_health_checks(counts: Mapping[str, int], failed: int) -> None:
    assert (
        failed_requests({f"luckygas_http_requests_total {labels}": count for labels, count in counts.items()}) == failed
    )


def test_admin_shows_hours_read_only(client: Client) -> None:
    take_snapshot()
    make_minute(NOW)
    client.force_login(make_user(is_staff=True, is_superuser=True))
    row = SystemMetric.objects.get(span="hour")
    page = client.get("/admin/web/systemmetric/")
    assert (page.status_code, page.context["cl"].result_count) == (200, 1)
    page = client.get(f"/admin/web/systemmetric/{row.pk}/change/")
    assert "notifications_sent_today" in page.content.decode()
    assert client.get("/admin/web/systemmetric/add/").status_code == 403


@pytest.mark.django_db(transaction=True)
async def test_running_site_takes_snapshots_without_a_timer(site: Site) -> None:
    """The hub of the site writes the first row of a minute, and then takes the snapshot of the last hour."""
    token = await sync_to_async(lambda: token_for(make_office()))()
    async with open_client(f"{site.ws}/office?token={token}"), asyncio.timeout(10):
        while not await SystemMetric.objects.filter(span="hour").aexists():
            await asyncio.sleep(0.05)
    minute = await SystemMetric.objects.filter(span="minute").afirst()
    assert minute is not None
    assert "luckygas_orders pending" in minute.metrics_json["gauges"]
