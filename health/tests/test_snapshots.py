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
from web.tests.metrics_rows import lags, make_minute, nothing_unwritten
from web.timings import instance

pytestmark = pytest.mark.django_db


NOW = datetime(2026, 11, 23, 4, 10, 3, tzinfo=UTC)
THIS = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
EVENTS, ERRORS = "luckygas_events_numbered_total", "luckygas_websocket_errors_total forbidden"
OFFICE, DRIVERS = "luckygas_websocket_connections office ws", "luckygas_websocket_connections driver driver"
FAILED = "luckygas_http_requests_total GET / 500"


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as travelled:
        yield travelled


def run() -> str:
    out = StringIO()
    with translation.override("en"):
        call_command("record_metrics", stdout=out)
    return out.getvalue()


def make_hour(at: datetime) -> None:
    SystemMetric.objects.create(span="hour", at=at)


def hours() -> list[datetime]:
    return list(SystemMetric.objects.filter(span="hour").values_list("at", flat=True))


def test_the_snapshot_has_what_is_now_and_the_hour_before() -> None:
    make_minute(THIS - 60 * MINUTE, {EVENTS: 60, ERRORS: 1} | lags(ms_5=95, ms_500=5), {OFFICE: 7, DRIVERS: 3})
    make_minute(THIS - 59 * MINUTE, {EVENTS: 180, FAILED: 3} | lags(ms_5=100), {OFFICE: 20})
    make_minute(THIS - 61 * MINUTE, {EVENTS: 99}, {OFFICE: 99})
    make_minute(THIS, {EVENTS: 99}, {OFFICE: 99})
    make_order("confirmed")
    fields = {"customer": make_customer(), "kind": "order_confirmed"}
    NotificationHistory.objects.all().unannounced().delete()
    NotificationHistory.objects.create(**fields, status="sent", sent_at=timezone.now())
    NotificationHistory.objects.create(**fields, status="failed")
    run()
    made = SystemMetric.objects.get(span="hour")
    assert (made.at, made.created_at) == (THIS - HOUR, NOW)
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
    assert len(hours()) == 2


def test_an_hour_without_any_server_says_so() -> None:
    run()
    figures = SystemMetric.objects.get().metrics_json
    assert (figures["minutes"], figures["connections"], figures["latency_p99_ms"]) == (0, None, None)


def test_old_rows_go() -> None:
    for age in (history.KEPT_HOURS + HOUR, history.KEPT_HOURS - 2 * HOUR):
        make_hour(THIS - age)
    for age in (history.KEPT_MINUTES + MINUTE, history.KEPT_MINUTES - MINUTE):
        make_minute(NOW - age)
    run()
    assert (len(hours()), SystemMetric.objects.filter(span="minute").count()) == (2, 1)


def test_written_counts_expire_by_process_or_directory() -> None:
    directory = "0123456789abcdef" * 2
    for name, age in {instance(): 3, "host:1:abcdef": 3, "host:2:abcdef": 1, directory: 300, "f" * 32: 401}.items():
        WrittenCounts.objects.update_or_create(pk=name, defaults={"at": NOW - timedelta(days=age)})
    write(every=0)
    run()
    assert set(WrittenCounts.objects.values_list("name", flat=True)) == {instance(), "host:2:abcdef", directory}


def test_a_clock_that_is_ahead_for_an_hour_takes_no_history(clock: time_machine.Traveller) -> None:
    for number in range(1, 31):
        make_hour(THIS - number * HOUR)
    for number in range(1, 301):
        make_minute(NOW - number * MINUTE)
    clock.shift(timedelta(days=500))
    run()
    assert (len(hours()), SystemMetric.objects.filter(span="minute").count()) == (29, 180)


def test_the_first_minute_of_an_hour_takes_the_snapshot() -> None:
    nothing_unwritten()
    write(every=0)
    write(every=0)
    assert hours() == [THIS - HOUR]


@pytest.mark.parametrize(
    ("counts", "failed"),
    [
        ({"GET / 500": 1, "PATCH /api/v1/orders/<pk>/ 503": 2}, 3),
        ({"GET / 200": 1, "GET / 404": 1, "GET /health/ready 503": 1}, 0),
    ],
)
def test_what_the_server_could_not_do_failed_and_what_the_client_did_wrong_did_not(
    counts: Mapping[str, int], failed: int
) -> None:
    assert (
        failed_requests({f"luckygas_http_requests_total {labels}": count for labels, count in counts.items()}) == failed
    )


def test_the_admin_shows_the_hours_to_be_read(client: Client) -> None:
    run()
    make_minute(NOW)
    client.force_login(make_user(is_staff=True, is_superuser=True))
    row = SystemMetric.objects.get(span="hour")
    page = client.get("/admin/web/systemmetric/")
    assert (page.status_code, page.context["cl"].result_count) == (200, 1)
    page = client.get(f"/admin/web/systemmetric/{row.pk}/change/")
    assert "notifications_sent_today" in page.content.decode()
    assert client.get("/admin/web/systemmetric/add/").status_code == 403


@pytest.mark.django_db(transaction=True)
async def test_a_running_site_keeps_its_figures_without_a_timer(site: Site) -> None:
    """The minute, and with it the snapshot of the hour before."""
    token = await sync_to_async(lambda: token_for(make_office()))()
    async with open_client(f"{site.ws}/office?token={token}"), asyncio.timeout(10):
        while not await SystemMetric.objects.filter(span="hour").aexists():
            await asyncio.sleep(0.05)
    minute = await SystemMetric.objects.filter(span="minute").afirst()
    assert minute is not None
    assert "luckygas_orders pending" in minute.metrics_json["gauges"]
