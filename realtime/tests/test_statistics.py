from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from luckygas.testing.servers import running
from luckygas.testing.site import Site
from orders.states import Status
from orders.tests.factories import make_driver, make_office, make_order
from realtime import statistics
from realtime.models import HubStatistics, WebSocketConnection
from realtime.statistics import Statistics, percentile, summary
from realtime.tests.client import open_client, token_for

PATH = "/api/v1/websocket/stats/"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds, to be put forward."""
    now = [1000.0]
    monkeypatch.setattr(statistics, "monotonic", lambda: now[0])
    return now


def test_lately_is_the_last_minute(clock: list[float]) -> None:
    hub = Statistics()
    hub.count("events", 100)
    for _ in range(20):
        clock[0] += 5
        hub.figures()
    hub.count("events", 6)
    figures = hub.figures()
    assert (figures["totals"]["events"], figures["lately"], figures["seconds"]) == (106, {"events": 6}, 60)


def test_before_a_minute_is_over_lately_is_since_the_start(clock: list[float]) -> None:
    hub = Statistics()
    hub.count("events", 6)
    clock[0] += 10
    assert (hub.figures()["lately"], hub.figures()["seconds"]) == ({"events": 6}, 10)


def test_lag_is_counted_by_its_bucket() -> None:
    hub, now = Statistics(), timezone.now()
    # The last is of a machine whose clock is ahead of ours.
    hub.looked(now - timedelta(milliseconds=ms) for ms in (150, 150, 1500, 100_000, -500))
    assert {name: hub.totals[f"lag.{name}"] for name in ("200", "2000", "more", "1")} == {
        "200": 2, "2000": 1, "more": 1, "1": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("lags", "share", "milliseconds"),
    [
        ({}, 0.5, None),
        ({"10": 10}, 0.5, 7.5),
        ({"10": 99, "500": 1}, 0.99, 10.0),
        ({"10": 90, "500": 10}, 0.99, 470.0),
        ({"more": 1}, 0.5, 5000.0),
    ],
)
def test_percentile(lags: dict[str, int], share: float, milliseconds: float | None) -> None:
    assert percentile(lags, share) == milliseconds


def write_row(instance: str, counts: dict[str, int], seconds: float = 60.0, age: float = 0) -> None:
    """`age`: seconds since it was written."""
    figures = {"totals": counts, "lately": counts, "seconds": seconds}
    at = timezone.now() - timedelta(seconds=age)
    HubStatistics.objects.create(instance=instance, written_at=at, figures=figures)


@pytest.mark.django_db
def test_the_summary_is_of_all_servers_that_live() -> None:
    one = {"events": 60, "deliveries": 120, "reconnects": 3, "closed": 1, "closed_ms": 4000}
    other = {"events": 30, "closed": 1, "closed_ms": 8000, "errors.x": 1, "errors.y": 2, "closes.1001": 2}
    write_row("a", one | {"errors.x": 6, "lag.10": 60})
    write_row("b", other, seconds=30)
    write_row("dead", {"events": 1000}, age=31)
    figures = summary()
    assert (figures["servers"], figures["events_per_second"], figures["deliveries_per_second"]) == (2, 2.0, 2.0)
    assert (figures["errors"], figures["error_rate"]) == ({"x": 7, "y": 2}, 0.2)
    assert (figures["reconnects"], figures["reconnect_rate"], figures["average_duration"]) == (3, 0.05, 6.0)
    assert (figures["disconnects"], figures["hub_lag_ms"]) == ({"1001": 2}, 7.5)
    assert figures["hub_lag_histogram"]["10"] == 60


@pytest.mark.django_db
def test_a_server_has_one_row_and_the_dead_lose_theirs() -> None:
    write_row("dead", {}, age=31)
    write_row("other", {}, age=20)
    for count in (1, 2):
        statistics.write({"totals": {"events": count}, "lately": {}, "seconds": 5.0}, timezone.now())
    assert HubStatistics.objects.count() == 2
    assert summary()["servers"] == 2


@pytest.mark.django_db
def test_connections_are_counted_by_role_and_endpoint() -> None:
    now = timezone.now()
    for number, (role, endpoint) in enumerate((("office", "office"), ("office", "ws"), ("driver", "driver"))):
        WebSocketConnection.objects.create(
            connection_id=f"{number:032x}", role=role, endpoint=endpoint, instance="a", connected_at=now, last_ping=now
        )
    figures = summary()
    assert (figures["connections"], figures["by_role"]) == (3, {"office": 2, "driver": 1})
    assert figures["by_endpoint"] == {"office": 1, "ws": 1, "driver": 1}


@pytest.mark.django_db
def test_the_figures_are_for_the_office(client: Client) -> None:
    assert client.get(PATH).status_code == 401
    client.force_login(make_driver().user)
    assert client.get(PATH).status_code == 403
    client.force_login(make_office())
    answer = client.get(PATH)
    assert (answer.status_code, answer.json()["connections"]) == (200, 0)


@pytest.mark.django_db
def test_the_figures_stand_above_the_list_of_connections(client: Client) -> None:
    write_row("a", {"events": 60})
    client.force_login(make_office(is_superuser=True))
    page = client.get(reverse("admin:realtime_websocketconnection_changelist"))
    assert page.context["figures"]["events_per_second"] == 1.0
    assert "<td>1.0</td>" in page.content.decode()


async def written() -> statistics.Figures:
    """The figures, once a server has written down a connection, an error and an event."""
    async with asyncio.timeout(15):
        while True:
            figures = await sync_to_async(summary)()
            if figures["connections"] and figures["errors"] and figures["events_per_second"]:
                return figures
            await asyncio.sleep(0.1)


@pytest.mark.servers
@pytest.mark.django_db(transaction=True)
async def test_any_process_knows_what_the_sockets_of_another_do(transactional_db: None) -> None:
    office, order = await sync_to_async(make_office)(), await sync_to_async(make_order)()
    jwt = await sync_to_async(token_for)(office)
    with running(Site("uvicorn")) as site:
        async with open_client(f"{site.ws}/office?token={jwt}&since=0") as client:
            await client.send(type="nonsense")
            await sync_to_async(order.transition_to)(Status.CONFIRMED)
            figures = await written()
    assert (figures["by_endpoint"], figures["by_role"]) == ({"office": 1}, {"office": 1})
    assert figures["errors"] == {"unknown_type": 1}
    assert (figures["reconnects"], figures["resyncs"]) == (1, 0)
    assert 0 < figures["hub_lag_ms"] < 2000
