from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from asgiref.sync import sync_to_async
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from luckygas.testing.servers import running
from luckygas.testing.site import Site
from orders.states import OrderStatus
from orders.tests.factories import make_driver, make_office, make_order
from realtime import metrics, presence, statistics
from realtime.metrics import Pulse
from realtime.models import Outbox
from realtime.statistics import summary
from realtime.tests.client import open_client, token_for
from realtime.tests.test_presence import open_elsewhere
from web.system_metrics import MINUTE, current_counts, growth
from web.tests.metrics_rows import lags, make_minute, reset_counts

PATH = "/api/v1/websocket/stats/"
NOW = datetime(2026, 11, 23, 4, 10, 0, tzinfo=UTC)
SOCKETS = "luckygas_websocket"


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as travelled:
        reset_counts()
        yield travelled


def test_lag_is_counted_in_its_bucket() -> None:
    before, now = current_counts(), timezone.now()
    # The last event comes from a machine whose clock is ahead.
    Pulse().record_round(now - timedelta(milliseconds=ms) for ms in (150, 150, 1500, 100_000, -500))
    found = growth(current_counts(), before)
    at_most = [found[f"luckygas_hub_lag_seconds_bucket {bound}"] for bound in ("0.001", "0.2", "2.0", "5.0", "+Inf")]
    assert (at_most, found["luckygas_hub_events_total"]) == ([1, 3, 4, 4, 5], 5)


def test_missed_bells_count_for_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(metrics, "monotonic", lambda: now[0])
    hub = Pulse()
    hub.record_round([timezone.now()] * 5, by_bell=False)
    assert hub.misses_bells
    now[0] += metrics.WINDOW_SECONDS + 1
    assert not hub.misses_bells


@pytest.mark.django_db
def test_summary_covers_the_last_minute_and_the_last_hour(clock: time_machine.Traveller) -> None:
    make_minute(NOW - 30 * MINUTE, {
        f"{SOCKETS}_errors_total x": 1, f"{SOCKETS}_open_seconds_count": 2, f"{SOCKETS}_open_seconds_sum": 12.0,
        f"{SOCKETS}_reconnects_total false": 1, f"{SOCKETS}_disconnects_total 1001": 2, "luckygas_bell_missed_total": 4,
    })  # fmt: skip
    make_minute(NOW - MINUTE, {
        "luckygas_events_numbered_total": 120, "luckygas_event_deliveries_total": 180, f"{SOCKETS}_errors_total x": 6,
        f"{SOCKETS}_errors_total y": 6, f"{SOCKETS}_reconnects_total true": 3, **lags(ms_10=60, more=1),
    })  # fmt: skip
    make_minute(NOW - 62 * MINUTE, {f"{SOCKETS}_errors_total x": 1000})
    figures = summary()
    assert (figures["events_per_second"], figures["deliveries_per_second"]) == (2.0, 3.0)
    assert (figures["errors"], figures["error_rate"]) == ({"x": 7, "y": 6}, 0.2)
    assert (figures["reconnects"], figures["resyncs"], figures["reconnect_rate"]) == (4, 1, 0.05)
    assert (figures["disconnects"], figures["average_duration"], figures["bell_missed"]) == ({"1001": 2}, 6.0, 4)
    assert (figures["hub_lag_ms"], figures["hub_lag_p99_ms"]) == (7.5, 5000)
    assert {name: count for name, count in figures["hub_lag_histogram"].items() if count} == {"10": 60, "more": 1}


@pytest.mark.django_db
def test_sockets_are_counted_by_role_and_endpoint() -> None:
    office, driver, now = make_office(), make_driver().user, timezone.now()
    assert driver is not None
    for role, endpoint in (("office", "office"), ("office", "ws"), ("driver", "driver")):
        open_elsewhere(office, now, role=role, endpoint=endpoint)
    open_elsewhere(driver, now - presence.STALE_AFTER)
    figures = summary()
    assert (figures["connections"], figures["servers"], figures["by_role"]) == (3, 1, {"office": 2, "driver": 1})
    assert figures["by_endpoint"] == {"office": 1, "ws": 1, "driver": 1}
    found = {
        (sample.name, *sample.labels.values()): sample.value for row in statistics.gauges() for sample in row.samples
    }
    sockets = {key[1:]: count for key, count in found.items() if key[0] == "luckygas_websocket_connections"}
    opened = {("office", "office"): 1, ("office", "ws"): 1, ("driver", "driver"): 1}
    assert sockets == {("driver", "ws"): 0, ("customer", "ws"): 0} | opened


@pytest.mark.django_db
def test_prometheus_shows_the_age_of_the_oldest_outbox_row() -> None:
    waiting = timezone.now() - timedelta(minutes=1)
    Outbox.objects.create(type="customer.updated", subject="customer:7", delta={"name": "王"}, created_at=waiting)
    (oldest,) = (row for row in statistics.gauges() if row.name == "luckygas_outbox_oldest_seconds")
    assert 59 < oldest.samples[0].value < 90


@pytest.mark.django_db
def test_statistics_are_for_the_office_only(client: Client) -> None:
    assert client.get(PATH).status_code == 401
    client.force_login(make_driver().user)
    assert client.get(PATH).status_code == 403
    client.force_login(make_office())
    response = client.get(PATH)
    assert (response.status_code, response.json()["connections"]) == (200, 0)


@pytest.mark.django_db
def test_statistics_are_shown_above_the_list_of_connections(client: Client, clock: time_machine.Traveller) -> None:
    make_minute(NOW - MINUTE, {"luckygas_events_numbered_total": 60})
    client.force_login(make_office(is_superuser=True))
    page = client.get(reverse("admin:realtime_websocketconnection_changelist"))
    assert page.context["figures"]["events_per_second"] == 1.0
    assert "<td>1.0</td>" in page.content.decode()


async def wait_for_statistics() -> Any:
    """Returns the statistics once they include a connection, an error and an event."""
    async with asyncio.timeout(15):
        while True:
            figures = await sync_to_async(summary)()
            if figures["connections"] and figures["errors"] and figures["hub_lag_ms"]:
                return figures
            await asyncio.sleep(0.1)


@pytest.mark.servers
@pytest.mark.django_db(transaction=True)
async def test_statistics_include_other_processes(transactional_db: None) -> None:
    await sync_to_async(reset_counts)()
    office, order = await sync_to_async(make_office)(), await sync_to_async(make_order)()
    jwt = await sync_to_async(token_for)(office)
    with running(Site("uvicorn")) as site:
        async with open_client(f"{site.ws}/office?token={jwt}&since=0") as client:
            await client.send(type="nonsense")
            await sync_to_async(order.transition_to)(OrderStatus.CONFIRMED)
            figures = await wait_for_statistics()
    assert (figures["by_endpoint"], figures["by_role"]) == ({"office": 1}, {"office": 1})
    assert figures["errors"] == {"unknown_type": 1}
    assert (figures["reconnects"], figures["resyncs"]) == (1, 0)
    assert 0 < figures["hub_lag_ms"] < 2000
