from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from dispatch.models import Driver
from orders.tests.factories import make_driver, make_office, make_user
from orders.tests.threads import run_between
from realtime import log, presence
from realtime.channels import Identity
from realtime.connection import Connection
from realtime.models import OnlineDriver, WebSocketConnection
from realtime.presence import GRACE, STALE_AFTER
from realtime.tests.client import unread_queue

pytestmark = pytest.mark.django_db


def connect(user: User, **fields: Any) -> Connection:
    """A connection of this user. `fields` are further ones of its `Identity`."""

    async def make() -> Connection:
        return Connection(Identity(user.pk, "driver", **fields), "driver", unread_queue())

    return asyncio.run(make())


def open_elsewhere(user: User, last_ping: datetime, **fields: Any) -> WebSocketConnection:
    """Inserts the row of a socket on another server."""
    usual = {"role": "driver", "endpoint": "driver", "instance": "other:1", "owner": f"user:{user.pk}"}
    return WebSocketConnection.objects.create(
        connection_id=uuid4(), user=user, last_ping=last_ping, **{"connected_at": last_ping, **usual, **fields}
    )


def announce_at(now: datetime) -> list[tuple[str, int]]:
    """Checks the drivers at `now`. Returns type and driver id of the announced events."""
    head = log.head().seq
    presence.announce_drivers(now)
    log.assign_event_ids()
    events = [event for event in log.read(head, 100) if event.channels == ["drivers"]]
    return [(event.type, event.data["driver_id"]) for event in events]


def test_write_inserts_refreshes_and_deletes_rows() -> None:
    first, second, now = connect(make_user()), connect(make_user()), timezone.now()
    presence.write_rows([first, second], [], now)
    presence.write_rows([second], [first.id], now + timedelta(seconds=5))
    (row,) = WebSocketConnection.objects.all()
    assert (row.connection_id, row.role, row.last_ping) == (second.id, "driver", now + timedelta(seconds=5))


def test_refresh_updates_rows_and_inserts_missing_ones() -> None:
    now = timezone.now()
    stored, missing, other = (connect(make_user()) for _ in range(3))
    presence.write_rows([stored, other], [], now)
    later = now + timedelta(seconds=5)
    presence.refresh_rows([stored, missing], later)
    pings = dict(WebSocketConnection.objects.values_list("pk", "last_ping"))
    assert pings == {stored.id: later, missing.id: later, other.id: now}


def test_refresh_is_one_update_per_batch(
    monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Callable[[int], AbstractContextManager[None]]
) -> None:
    monkeypatch.setattr(presence, "BATCH", 2)
    user, now = make_user(), timezone.now()
    connections = [connect(user) for _ in range(5)]
    presence.write_rows(connections, [], now)
    with django_assert_num_queries(3):
        presence.refresh_rows(connections, now + timedelta(seconds=5))
    assert set(WebSocketConnection.objects.values_list("last_ping", flat=True)) == {now + timedelta(seconds=5)}


def test_stale_rows_are_deleted_and_live_ones_stay() -> None:
    now, user = timezone.now(), make_user()
    for age in (1, 29, 31):
        open_elsewhere(user, now - timedelta(seconds=age))
    presence.update_rows([], [], [], due=True)
    assert WebSocketConnection.objects.count() == 2


def test_socket_of_a_deleted_account_is_stored() -> None:
    user = make_user()
    connection = connect(user)
    user.delete()
    presence.write_rows([connection], [], timezone.now())
    assert presence.live_rows().count() == 1


def test_driver_who_comes_online_is_announced_once() -> None:
    driver, now = make_driver(), timezone.now()
    open_elsewhere(driver.user, now)
    open_elsewhere(make_office(), now)
    assert (announce_at(now), announce_at(now)) == ([("driver.online", driver.pk)], [])
    assert presence.online_driver_ids() == {driver.pk}


def make_online_driver(now: datetime) -> tuple[Driver, WebSocketConnection]:
    driver = make_driver()
    row = open_elsewhere(driver.user, now)
    announce_at(now)
    return driver, row


def test_driver_who_goes_offline_is_announced_once_after_the_grace_time() -> None:
    now = timezone.now()
    driver, row = make_online_driver(now)
    second = open_elsewhere(driver.user, now)
    row.delete()
    assert announce_at(now) == []
    second.delete()
    assert announce_at(now) == []
    assert announce_at(now + GRACE / 2) == []
    assert announce_at(now + GRACE) == [("driver.offline", driver.pk)]
    assert announce_at(now + 2 * GRACE) == []
    assert presence.online_driver_ids() == set()


def test_driver_back_within_the_grace_time_stays_online() -> None:
    now = timezone.now()
    driver, row = make_online_driver(now)
    row.delete()
    assert announce_at(now) == []
    row = open_elsewhere(driver.user, now)
    assert announce_at(now + 2 * GRACE) == []
    row.delete()
    assert announce_at(now + 2 * GRACE) == []
    assert announce_at(now + 3 * GRACE) == [("driver.offline", driver.pk)]


def test_driver_of_a_dead_server_goes_offline_when_its_rows_are_stale() -> None:
    now = timezone.now()
    driver, row = make_online_driver(now)
    WebSocketConnection.objects.update(last_ping=now - STALE_AFTER - timedelta(seconds=1))
    assert announce_at(now) == []
    assert announce_at(now + GRACE) == [("driver.offline", driver.pk)]


@pytest.mark.django_db(transaction=True)
def test_driver_seen_again_during_the_check_is_not_announced_as_offline() -> None:
    now = timezone.now()
    driver, row = make_online_driver(now)
    row.delete()
    assert announce_at(now) == []
    mark_seen = partial(OnlineDriver.objects.update, unseen_since=None)
    with run_between('SELECT "realtime_onlinedriver"', 'DELETE FROM "realtime_onlinedriver"', mark_seen, seconds=5):
        assert announce_at(now + GRACE) == []
    assert presence.online_driver_ids() == {driver.pk}


def test_excess_connections_are_the_oldest_of_all_servers(settings: Any) -> None:
    settings.WEBSOCKET_CONNECTIONS_PER_USER = 2
    now, crowded, other = timezone.now(), make_user(), make_user()
    rows = [open_elsewhere(crowded, now, connected_at=now - timedelta(minutes=age)) for age in (3, 1, 4, 2)]
    for _ in range(2):
        open_elsewhere(other, now)
    assert presence.excess_connection_ids() == {rows[0].connection_id, rows[2].connection_id}


def test_stale_rows_do_not_count_for_the_connection_limit(settings: Any) -> None:
    settings.WEBSOCKET_CONNECTIONS_PER_USER = 1
    user, now = make_user(), timezone.now()
    open_elsewhere(user, now - STALE_AFTER - timedelta(seconds=1), connected_at=now)
    open_elsewhere(user, now, connected_at=now - timedelta(hours=1))
    assert presence.excess_connection_ids() == set()


def test_link_has_its_own_connection_limit(settings: Any) -> None:
    settings.WEBSOCKET_CONNECTIONS_PER_USER = 1
    now, user = timezone.now(), make_user()
    rows = [open_elsewhere(user, now, owner="track:7", connected_at=now + timedelta(seconds=n)) for n in range(21)]
    assert presence.excess_connection_ids() == {rows[0].connection_id}


def test_update_without_drivers_queries_no_drivers(
    django_assert_num_queries: Callable[[int], AbstractContextManager[None]],
) -> None:
    connections = [connect(make_user()) for _ in range(3)]
    with django_assert_num_queries(2):  # insert the rows, count per owner
        presence.update_rows(connections, [], [], due=False)
    with django_assert_num_queries(1):
        presence.update_rows([], connections[1:], connections[:1], due=False)
    assert presence.live_rows().count() == 2


def test_connect_announces_a_driver_and_disconnect_starts_the_grace_time() -> None:
    driver = make_driver()
    connection = connect(driver.user, driver_id=driver.pk)
    presence.update_rows([connection], [], [], due=False)
    assert presence.online_driver_ids() == {driver.pk}
    presence.update_rows([], [], [connection], due=False)
    assert OnlineDriver.objects.get().unseen_since is not None


def test_due_update_deletes_stale_rows_and_announces_drivers() -> None:
    driver, now = make_driver(), timezone.now()
    open_elsewhere(driver.user, now)
    open_elsewhere(make_user(), now - 2 * STALE_AFTER)
    presence.update_rows([], [], [], due=True)
    assert (WebSocketConnection.objects.count(), presence.online_driver_ids()) == (1, {driver.pk})
