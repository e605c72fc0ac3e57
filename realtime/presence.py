"""Which sockets are open, in rows that all processes can read; and which drivers are online, as the screens are told.

A driver is offline when no live row is left, whichever server held it. What was announced is a row too, changed in one
transaction with the announcement: however many servers look, each coming and going is told once.
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

# Rows that no server refreshed for so long belong to one that died.
DEAD = timedelta(seconds=30)
# How often all rows are refreshed. With the pause below: a user's sixth socket is noticed by all within 5 s.
REFRESH_SECONDS = 4.0
# Rows a query.
BATCH = 1000
# A storm of arrivals is one write in so many seconds.
PAUSE_SECONDS = 1.0
# How long a driver may be without a socket (a tunnel, a server that restarts) and still be online.
GRACE = timedelta(seconds=4.5)


def write(fresh: Iterable[Connection], gone: Collection[UUID], now: datetime) -> None:
    """Adds the rows of `fresh`, and forgets those that are gone."""
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
    """Says that these are still open: one UPDATE for a thousand, and what it does not find is written anew."""
    for first in range(0, len(connections), BATCH):
        batch = connections[first : first + BATCH]
        found = WebSocketConnection.objects.filter(pk__in=[open_.id for open_ in batch]).update(last_ping=now)
        if found < len(batch):
            write(batch, (), now)


def live() -> QuerySet[WebSocketConnection]:
    """The sockets that are open now, of all processes."""
    return WebSocketConnection.objects.filter(last_ping__gte=timezone.now() - DEAD)


def too_many() -> set[UUID]:
    """The connections, of all processes, that are one too many for their owner: the oldest."""
    found: set[UUID] = set()
    for owner, count in live().order_by().values_list("owner").annotate(count=Count("pk")).filter(count__gt=1):
        if count > (most := most_connections(owner)):
            newest_first = live().filter(owner=owner).order_by("-connected_at", "-pk")
            found.update(newest_first.values_list("pk", flat=True)[most:])
    return found


def announce_drivers(now: datetime) -> None:
    """Tells the office's screens which drivers came and went since anybody looked."""
    here = set(live().filter(user__driver__isnull=False).values_list("user__driver", flat=True))
    known = dict(OnlineDriver.objects.values_list("driver_id", "unseen_since"))
    for driver in sorted(here - known.keys()):
        _came(driver)
    away = [driver for driver, unseen_since in known.items() if driver not in here and unseen_since is None]
    back = [driver for driver, unseen_since in known.items() if driver in here and unseen_since is not None]
    if away:
        OnlineDriver.objects.filter(pk__in=away, unseen_since=None).update(unseen_since=now)
    if back:
        OnlineDriver.objects.filter(pk__in=back).update(unseen_since=None)
    for driver, unseen_since in sorted(known.items()):
        if driver not in here and unseen_since is not None and unseen_since <= now - GRACE:
            _went(driver, unseen_since)


@transaction.atomic
def _came(driver: int) -> None:
    if OnlineDriver.objects.get_or_create(driver_id=driver)[1]:
        announce("driver.online", f"driver:{driver}", {})


@transaction.atomic
def _went(driver: int, unseen_since: datetime) -> None:
    # Who deletes the row tells it; another server may have seen the driver again meanwhile.
    if OnlineDriver.objects.filter(pk=driver, unseen_since=unseen_since).delete()[0]:
        announce("driver.offline", f"driver:{driver}", {})


def online_driver_ids() -> set[int]:
    """The drivers who are online, as the screens were told."""
    return set(OnlineDriver.objects.values_list("driver_id", flat=True))


class Presence:
    """Keeps the rows of one hub's connections. `ask` calls a function on a thread; all else is on the event loop."""

    def __init__(self, readers: Readers, ask: Callable[..., Awaitable[set[UUID]]]) -> None:
        self._readers, self._ask = readers, ask
        self._written: dict[UUID, Connection] = {}
        self._refreshed = -math.inf

    async def turn(self) -> None:
        """Soon after somebody came or went, and every few seconds for all."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self._refreshed + REFRESH_SECONDS):
                await self._readers.changed.wait()
        self._readers.changed.clear()
        now, readers = asyncio.get_running_loop().time(), {reader.id: reader for reader in self._readers.open}
        # A turn that ends in the pause before is it: the next would come too late.
        due = now >= self._refreshed + REFRESH_SECONDS - PAUSE_SECONDS
        fresh = [reader for key, reader in readers.items() if key not in self._written]
        still = [reader for key, reader in readers.items() if due and key in self._written]
        gone = [reader for key, reader in self._written.items() if key not in readers]
        closed = await self._ask(note, fresh, still, gone, due)
        self._written = readers
        if due:
            self._refreshed = now
        for key in closed & readers.keys():
            readers[key].close(TOO_MANY_CONNECTIONS)


def note(fresh: Sequence[Connection], still: Sequence[Connection], gone: Sequence[Connection], due: bool) -> set[UUID]:
    """One turn's work on the database; the connections that are too many.

    `due`: all of it. Between, in a storm of arrivals each second, only what those who came and went make necessary.
    """
    now = timezone.now()
    write(fresh, [left.id for left in gone], now)
    if due:
        refresh(still, now)
        WebSocketConnection.objects.filter(last_ping__lt=now - DEAD).delete()
    if due or any(open_.identity.driver_id for open_ in (*fresh, *gone)):
        announce_drivers(now)
    return too_many() if due or fresh else set()
