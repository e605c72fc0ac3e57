"""Stores the open sockets of all processes in the database, and announces which drivers are online.

A driver is offline when no server has had a live row of theirs for GRACE. The announced state is a row too
(`OnlineDriver`), changed in the transaction of the announcement. So each change is announced once, even if several
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

from realtime.connection import TOO_MANY_CONNECTIONS, Connection, most_connections
from realtime.models import OnlineDriver, WebSocketConnection
from realtime.outbox import announce
from realtime.readers import Readers
from web.timings import instance

# A row that was not refreshed for this long is stale: its server has stopped without deleting it.
DEAD = timedelta(seconds=30)
# How often all rows are refreshed. Together with PAUSE_SECONDS, sockets above the connection limit close within 5 s.
REFRESH_SECONDS = 4.0
# Maximum number of rows in one query.
BATCH = 1000
# Minimum pause between two writes of new and closed sockets, even if many connect at once.
PAUSE_SECONDS = 1.0
# How long a driver stays online without a socket, for example in a tunnel or while a server restarts.
GRACE = timedelta(seconds=4.5)


def write(fresh: Iterable[Connection], gone: Collection[UUID], now: datetime) -> None:
    """Inserts the rows of `opened`, or refreshes those that exist, and deletes the rows of `closed`."""
    rows = [
        WebSocketConnection(
            connection_id=open_.id, user_id=open_.identity.user_id, role=open_.identity.role or open_.endpoint,
            endpoint=open_.endpoint, instance=instance(), owner=open_.identity.owner, connected_at=open_.connected_at,
            last_ping=now,
        )
        for open_ in fresh
    ]  # fmt: skip
    if rows:
        WebSocketConnection.objects.bulk_create(
            rows, update_conflicts=True, unique_fields=["connection_id"], update_fields=["last_ping"], batch_size=BATCH
        )
    if gone:
        WebSocketConnection.objects.filter(pk__in=gone).delete()


def refresh(connections: Sequence[Connection], now: datetime) -> None:
    """Refreshes the rows of open sockets, with one UPDATE for each BATCH. Inserts rows that are missing."""
    for first in range(0, len(connections), BATCH):
        batch = connections[first : first + BATCH]
        found = WebSocketConnection.objects.filter(pk__in=[open_.id for open_ in batch]).update(last_ping=now)
        if found < len(batch):
            write(batch, (), now)


def live() -> QuerySet[WebSocketConnection]:
    """The rows of all processes' open sockets, without stale ones."""
    return WebSocketConnection.objects.filter(last_ping__gte=timezone.now() - DEAD)


def too_many() -> set[UUID]:
    """The ids of the oldest connections above their owner's connection limit, counted over all processes."""
    found: set[UUID] = set()
    for owner, count in live().order_by().values_list("owner").annotate(count=Count("pk")).filter(count__gt=1):
        if count > (most := most_connections(owner)):
            newest_first = live().filter(owner=owner).order_by("-connected_at", "-pk")
            found.update(newest_first.values_list("pk", flat=True)[most:])
    return found


def announce_drivers(now: datetime) -> None:
    """Announces the drivers that came online since the last check of any server, or have been unseen for GRACE."""
    here = set(live().filter(user__driver__isnull=False).values_list("user__driver", flat=True))
    known = dict(OnlineDriver.objects.values_list("driver_id", "unseen_since"))
    for driver in sorted(here - known.keys()):
        _announce_online(driver)
    away = [driver for driver, unseen_since in known.items() if driver not in here and unseen_since is None]
    back = [driver for driver, unseen_since in known.items() if driver in here and unseen_since is not None]
    if away:
        OnlineDriver.objects.filter(pk__in=away, unseen_since=None).update(unseen_since=now)
    if back:
        OnlineDriver.objects.filter(pk__in=back).update(unseen_since=None)
    for driver, unseen_since in sorted(known.items()):
        if driver not in here and unseen_since is not None and unseen_since <= now - GRACE:
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

    def __init__(self, readers: Readers, ask: Callable[..., Awaitable[set[UUID]]]) -> None:
        self._readers, self._ask = readers, ask
        self._written: dict[UUID, Connection] = {}
        self._refreshed = -math.inf

    async def turn(self) -> None:
        """Waits until a socket opens or closes, or until the next refresh, and writes the rows.

        Closes the sockets of this process whose owner exceeds the connection limit.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._refreshed + REFRESH_SECONDS):
                await self._readers.changed.wait()
        self._readers.changed.clear()
        now, readers = asyncio.get_running_loop().time(), {reader.id: reader for reader in self._readers.open}
        # Refresh now if a refresh is due within the next pause: the run after that pause would be too late.
        due = now >= self._refreshed + REFRESH_SECONDS - PAUSE_SECONDS
        fresh = [reader for key, reader in readers.items() if key not in self._written]
        still = [reader for key, reader in readers.items() if due and key in self._written]
        gone = [reader for key, reader in self._written.items() if key not in readers]
        closed = await self._ask(update, fresh, still, gone, due)
        self._written = readers
        if due:
            self._refreshed = now
        for key in closed & readers.keys():
            readers[key].close(TOO_MANY_CONNECTIONS)


def update(
    fresh: Sequence[Connection], still: Sequence[Connection], gone: Sequence[Connection], due: bool
) -> set[UUID]:
    """Updates the database and returns the ids of connections to close because their owner has too many.

    `due`: also refreshes the rows of `unchanged`, deletes stale rows and checks everything. Otherwise checks only what
    the new and closed sockets can change.
    """
    now = timezone.now()
    write(fresh, [left.id for left in gone], now)
    if due:
        refresh(still, now)
        WebSocketConnection.objects.filter(last_ping__lt=now - DEAD).delete()
    if due or any(open_.identity.driver_id for open_ in (*fresh, *gone)):
        announce_drivers(now)
    return too_many() if due or fresh else set()
