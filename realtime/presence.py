"""Stores the open sockets of all processes in the database, and announces which drivers are online.

A driver is offline when none of their sockets has had a live row (`live_rows`) for GRACE. The announced state is a row
too (`OnlineDriver`), changed in the transaction of the announcement. So each change is announced once, even if several
servers check.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Count, QuerySet
from django.utils import timezone

from realtime.connection import TOO_MANY_CONNECTIONS, Connection, connection_limit
from realtime.models import OnlineDriver, WebSocketConnection
from realtime.outbox import announce
from realtime.readers import Readers
from web.timings import instance

# A row that was not refreshed for this long is stale: its server has stopped or hangs.
STALE_AFTER = timedelta(seconds=30)
# How often all rows are refreshed. Each hub then also checks the connection limit over all processes, so that sockets
# above it close within 5 s (with PAUSE_SECONDS).
REFRESH_SECONDS = 4.0
# Maximum number of rows in one query.
BATCH = 1000
# Minimum pause between two writes of new and closed sockets, even if many connect at once.
PAUSE_SECONDS = 1.0
# How long a driver stays online without a socket, for example in a tunnel or while a server restarts.
GRACE = timedelta(seconds=4.5)


def write_rows(opened: Iterable[Connection], closed: Collection[UUID], now: datetime) -> None:
    """Inserts the rows of `opened`, or refreshes those that exist, and deletes the rows of `closed`."""
    rows = [
        WebSocketConnection(
            connection_id=connection.id, user_id=connection.identity.user_id, owner=connection.identity.owner,
            role=connection.identity.role or connection.endpoint, endpoint=connection.endpoint, instance=instance(),
            connected_at=connection.connected_at, last_ping=now,
        )
        for connection in opened
    ]  # fmt: skip
    if rows:
        WebSocketConnection.objects.bulk_create(
            rows, update_conflicts=True, unique_fields=["connection_id"], update_fields=["last_ping"], batch_size=BATCH
        )
    if closed:
        WebSocketConnection.objects.filter(pk__in=closed).delete()


def refresh_rows(connections: Sequence[Connection], now: datetime) -> None:
    """Refreshes the rows of open sockets, with one UPDATE for each BATCH. Inserts rows that are missing."""
    for first in range(0, len(connections), BATCH):
        batch = connections[first : first + BATCH]
        found = WebSocketConnection.objects.filter(pk__in=[connection.id for connection in batch]).update(last_ping=now)
        if found < len(batch):
            write_rows(batch, (), now)


def live_rows() -> QuerySet[WebSocketConnection]:
    """The rows of all processes' open sockets, without stale ones."""
    return WebSocketConnection.objects.filter(last_ping__gte=timezone.now() - STALE_AFTER)


def excess_connection_ids() -> set[UUID]:
    """The ids of the oldest connections above their owner's connection limit, counted over all processes."""
    found: set[UUID] = set()
    for owner, count in live_rows().order_by().values_list("owner").annotate(count=Count("pk")).filter(count__gt=1):
        if count > (limit := connection_limit(owner)):
            newest_first = live_rows().filter(owner=owner).order_by("-connected_at", "-pk")
            found.update(newest_first.values_list("pk", flat=True)[limit:])
    return found


def announce_drivers(now: datetime) -> None:
    """Announces the drivers that came online since the last check of any server, and those who went offline.

    A driver goes offline when the first check without a socket of theirs was at least GRACE before `now`.
    """
    connected = set(live_rows().filter(user__driver__isnull=False).values_list("user__driver", flat=True))
    known = dict(OnlineDriver.objects.values_list("driver_id", "unseen_since"))
    for driver in sorted(connected - known.keys()):
        _announce_online(driver)
    disconnected = [
        driver for driver, unseen_since in known.items() if driver not in connected and unseen_since is None
    ]
    reconnected = [driver for driver, unseen_since in known.items() if driver in connected and unseen_since is not None]
    if disconnected:
        OnlineDriver.objects.filter(pk__in=disconnected, unseen_since=None).update(unseen_since=now)
    if reconnected:
        OnlineDriver.objects.filter(pk__in=reconnected).update(unseen_since=None)
    for driver, unseen_since in sorted(known.items()):
        if driver not in connected and unseen_since is not None and unseen_since <= now - GRACE:
            _announce_offline(driver, unseen_since)


@transaction.atomic
def _announce_online(driver: int) -> None:
    if OnlineDriver.objects.get_or_create(driver_id=driver)[1]:
        announce("driver.online", f"driver:{driver}", {})


@transaction.atomic
def _announce_offline(driver: int, unseen_since: datetime) -> None:
    # Only the server that deletes the row announces. The row has changed if another server saw the driver again.
    if OnlineDriver.objects.filter(pk=driver, unseen_since=unseen_since).delete()[0]:
        announce("driver.offline", f"driver:{driver}", {})


def online_driver_ids() -> set[int]:
    """The drivers last announced as online."""
    return set(OnlineDriver.objects.values_list("driver_id", flat=True))


class Presence:
    """Writes the rows of one hub's connections. Runs on the event loop, but `run_on_thread` runs the queries."""

    def __init__(self, readers: Readers, run_on_thread: Callable[..., Awaitable[set[UUID]]]) -> None:
        self._readers, self._run_on_thread = readers, run_on_thread
        self._written: dict[UUID, Connection] = {}
        self._refreshed_at = -math.inf

    async def run_once(self) -> None:
        """Waits until a socket opens or closes, or until the next refresh, and writes the rows.

        Closes this hub's sockets that exceed their owner's connection limit, counted over all processes.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._refreshed_at + REFRESH_SECONDS):
                await self._readers.changed.wait()
        self._readers.changed.clear()
        now, readers = asyncio.get_running_loop().time(), {reader.id: reader for reader in self._readers.open}
        # Refresh now if a refresh is due within the next pause: the run after that pause would be too late.
        due = now >= self._refreshed_at + REFRESH_SECONDS - PAUSE_SECONDS
        opened = [reader for key, reader in readers.items() if key not in self._written]
        unchanged = [reader for key, reader in readers.items() if due and key in self._written]
        closed = [reader for key, reader in self._written.items() if key not in readers]
        excess = await self._run_on_thread(update_rows, opened, unchanged, closed, due)
        self._written = readers
        if due:
            self._refreshed_at = now
        for key in excess & readers.keys():
            readers[key].close(TOO_MANY_CONNECTIONS)


def update_rows(
    opened: Sequence[Connection], unchanged: Sequence[Connection], closed: Sequence[Connection], due: bool
) -> set[UUID]:
    """Updates the database and returns the ids of connections to close because their owner has too many.

    `due`: also refreshes the rows of `unchanged`, deletes stale rows, and checks all drivers and limits. Otherwise
    checks drivers only if a driver's socket opened or closed, and limits only if any socket opened.
    """
    now = timezone.now()
    write_rows(opened, [connection.id for connection in closed], now)
    if due:
        refresh_rows(unchanged, now)
        WebSocketConnection.objects.filter(last_ping__lt=now - STALE_AFTER).delete()
    if due or any(connection.identity.driver_id for connection in (*opened, *closed)):
        announce_drivers(now)
    return excess_connection_ids() if due or opened else set()
