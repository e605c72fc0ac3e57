"""Where the drivers are. Only the latest matters: one row each, told as it comes, in no log and never waited for.

A hub writes what its drivers send, tells its own readers, and tells the other hubs by the channel layer. All of it is
apart from the log: a position neither holds up nor pushes out an order.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from dispatch.models import RECENT, Driver, DriverLocation
from orders.models import Order
from realtime import frames, outbox
from realtime.audience import Audience
from realtime.connection import Batch, Connection, batches
from realtime.frames import Encoded

logger = logging.getLogger(__name__)

# Of each driver one position in so many seconds is taken; the others are dropped.
EVERY_SECONDS = 1.0
# Positions that come within this are written together.
PAUSE_SECONDS = 0.1
# Of a storm of arrivals, those of a second are told together where the drivers are.
GREET_SECONDS = 1.0
# After an error, usually a database that is away.
RETRY_SECONDS = 1.0
BEGINNING = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a driver is, and the order they are on the way to. `timestamp`: of the fix, ISO 8601."""

    driver_id: int
    order_id: int | None
    latitude: float
    longitude: float
    speed: float | None
    heading: float | None
    timestamp: str

    @classmethod
    def of(cls, location: DriverLocation, order_id: int | None) -> Place:
        at = frames.iso(location.recorded_at)
        speed, heading = location.speed, location.heading
        return cls(location.driver_id, order_id, location.latitude, location.longitude, speed, heading, at)

    @property
    def at(self) -> datetime:
        return datetime.fromisoformat(self.timestamp)

    def events(self) -> list[Encoded]:
        """For the office and the driver; and, without who drives, for whoever waits for them."""
        data = asdict(self)
        order, driver = data.pop("order_id"), self.driver_id
        told = [Encoded.ephemeral("driver.location", ["drivers", f"driver:{driver}"], dict(data))]
        if order is not None:
            del data["driver_id"]
            told.append(Encoded.ephemeral("driver.location", [f"track:{order}"], data))
        return told


def keep(locations: Collection[DriverLocation]) -> list[Place]:
    """Writes what is newer than the rows, of active drivers; what was written, in a fixed order of drivers."""
    active = Driver.objects.filter(is_active=True, user__is_active=True, pk__in=[row.driver_id for row in locations])
    known = set(active.values_list("pk", flat=True))
    # Two servers may hold sockets of the same drivers: in one order neither waits for the other in a circle.
    ordered = sorted((row for row in locations if row.driver_id in known), key=lambda row: row.driver_id)
    with transaction.atomic():
        return _places([row for row in ordered if DriverLocation.objects.keep(row)])


def latest() -> list[Place]:
    return _places(list(DriverLocation.objects.recent()))


def _places(rows: Collection[DriverLocation]) -> list[Place]:
    stops = Order.objects.next_stops([row.driver_id for row in rows])
    return [Place.of(row, stops.get(row.driver_id)) for row in rows]


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Who began to read `channels` when `told` was what this hub had told, by driver."""

    reader: Connection
    channels: frozenset[str]
    told: dict[int, datetime]


class Positions:
    """Of one hub. `ask` calls a function on a thread; all else is on the event loop."""

    def __init__(self, audience: Audience, ask: Callable[..., Awaitable[list[Place]]]) -> None:
        self._audience, self._ask = audience, ask
        self._waiting: dict[int, DriverLocation] = {}
        self._newcomers: list[Newcomer] = []
        self._filled = asyncio.Event()
        self._taken: dict[int, float] = {}
        self._told: dict[int, datetime] = {}
        self._greeted = -math.inf

    def take(self, location: DriverLocation) -> None:
        """From a driver's socket. Dropped: the second one within a second, and what is only history by now."""
        driver, now = location.driver_id, asyncio.get_running_loop().time()
        if now - self._taken.get(driver, -math.inf) < EVERY_SECONDS or location.recorded_at < timezone.now() - RECENT:
            return
        self._taken[driver] = now
        self._waiting[driver] = location
        self._filled.set()

    def welcome(self, reader: Connection, channels: Iterable[str]) -> None:
        """Has the latest positions told to who begins to read these channels."""
        kinds = frozenset(
            channel for channel in channels if channel.partition(":")[0] in ("drivers", "driver", "track")
        )
        if kinds:
            self._newcomers.append(Newcomer(reader, kinds, dict(self._told)))
            self._filled.set()

    def hear(self, message: dict[str, Any]) -> None:
        """From the channel layer, which brings back our own too."""
        new, now = self._tell([Place(**place) for place in message["places"]]), asyncio.get_running_loop().time()
        self._taken.update((place.driver_id, now) for place in new)

    async def run(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._greeted + GREET_SECONDS if self._newcomers else None):
                    await self._filled.wait()
            self._filled.clear()
            try:
                await self._turn()
                await asyncio.sleep(PAUSE_SECONDS)
            except Exception:  # the database is away; the drivers' next positions are on their way
                logger.exception("Positions could not be kept or read.")
                await asyncio.sleep(RETRY_SECONDS)
                self._filled.set()

    async def _turn(self) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._greeted + GREET_SECONDS and (newcomers := list(self._newcomers)):
            self._greeted = now
            places = await self._ask(latest)
            self._tell(places)  # what the channel layer did not bring
            self._greet(newcomers, places)
            del self._newcomers[: len(newcomers)]
        if waiting := self._waiting:
            self._waiting = {}
            places = await self._ask(keep, waiting.values())
            self._tell(places)
            if places:
                said = [asdict(place) for place in places]
                await outbox.broadcast({"type": "positions", "places": said})

    def _tell(self, places: Iterable[Place]) -> list[Place]:
        """Tells and returns what is new: nobody sees a driver go back in time, whichever server's news comes last."""
        new = [place for place in places if place.at > self._told.get(place.driver_id, BEGINNING)]
        self._told.update((place.driver_id, place.at) for place in new)
        events = [event for place in new for event in place.events()]
        # Who is not greeted yet is not told this again, and must not miss it for what else waits for them.
        newcomers = {newcomer.reader for newcomer in self._newcomers}
        for reader, batch in batches(events, self._audience.by_channel):
            (reader.deliver if reader in newcomers else reader.offer)(batch)
        return new

    def _greet(self, newcomers: Iterable[Newcomer], places: Iterable[Place]) -> None:
        """Tells each what this hub had told before they came; what it told since, they heard themselves."""
        events = [(place.driver_id, event) for place in places for event in place.events()]
        for newcomer in newcomers:
            present = newcomer.channels & newcomer.reader.channels
            before = [event for driver, event in events if self._told[driver] == newcomer.told.get(driver)]
            if theirs := [event for event in before if not present.isdisjoint(event.channels)]:
                newcomer.reader.deliver(Batch(theirs))
