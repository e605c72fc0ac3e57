"""Where the drivers are. Only the latest matters: one row each, told as it comes, in no log and never waited for.

A hub writes what its drivers send, tells its own readers, and tells the other hubs by the channel layer. All of it is
apart from the log: a position neither holds up nor pushes out an order.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from operator import attrgetter
from typing import Any
from weakref import WeakSet

from django.db import transaction
from django.utils import timezone

from dispatch.models import RECENT, Driver, DriverLocation
from orders.models import Order
from realtime import frames, outbox
from realtime.connection import Connection, batches
from realtime.frames import Encoded
from realtime.readers import Readers

logger = logging.getLogger(__name__)

# Of each driver one position in so many seconds is taken; the others are dropped.
EVERY_SECONDS = 1.0
# Positions that come within this are written together, and clients that come within it are told them together.
PAUSE_SECONDS = 0.1
# After an error, usually a database that is away.
RETRY_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a driver is, and the order they are on the way to, with its customer. `timestamp`: of the fix, ISO 8601."""

    driver_id: int
    order_id: int | None
    customer_id: int | None
    latitude: float
    longitude: float
    speed: float | None
    heading: float | None
    timestamp: str

    @classmethod
    def of(cls, location: DriverLocation, order_id: int | None, customer_id: int | None) -> Place:
        at = frames.iso(location.recorded_at)
        speed, heading = location.speed, location.heading
        return cls(location.driver_id, order_id, customer_id, location.latitude, location.longitude, speed, heading, at)

    @property
    def at(self) -> datetime:
        return datetime.fromisoformat(self.timestamp)

    def events(self) -> list[Encoded]:
        """For the office and the driver; and, without who drives, for whoever waits for them."""
        data = asdict(self)
        order, customer, driver = data.pop("order_id"), data.pop("customer_id"), self.driver_id
        told = [Encoded.ephemeral("driver.location", "drivers", ["drivers", f"driver:{driver}"], dict(data))]
        if order is not None:
            del data["driver_id"]
            track = f"track:{order}"
            told.append(Encoded.ephemeral("driver.location", track, [f"customer:{customer}/{track}"], data))
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
    customers = dict(Order.objects.filter(pk__in=stops.values()).values_list("pk", "customer_id"))
    return [Place.of(row, order := stops.get(row.driver_id), customers.get(order or 0)) for row in rows]


class Positions:
    """Of one hub. `ask` calls a function on a thread; all else is on the event loop."""

    def __init__(self, readers: Readers, ask: Callable[..., Awaitable[list[Place]]]) -> None:
        self._readers, self._ask = readers, ask
        self._waiting: dict[int, DriverLocation] = {}
        # Who began to read, and is to be told where the drivers are; who has left meanwhile is held by nobody.
        self._new = WeakSet[Connection]()
        self._filled = asyncio.Event()
        self._taken: dict[int, float] = {}
        self._told: dict[int, Place] = {}

    def take(self, location: DriverLocation) -> None:
        """From a driver's socket. Dropped: the second one within a second, and what is only history by now."""
        driver, now = location.driver_id, asyncio.get_running_loop().time()
        if now - self._taken.get(driver, -math.inf) < EVERY_SECONDS or location.recorded_at < timezone.now() - RECENT:
            return
        self._taken[driver] = now
        self._waiting[driver] = location
        self._filled.set()

    def subscribed(self, reader: Connection, channels: Iterable[str]) -> None:
        """Has the latest positions told to who begins to read these channels."""
        if any(channel.partition(":")[0] in ("drivers", "driver", "track") for channel in channels):
            self._new.add(reader)
            self._filled.set()

    def hear(self, message: dict[str, Any]) -> None:
        """From the channel layer, which brings back our own too, and in an upgrade those of another release."""
        places = [Place(*(place.get(field.name) for field in fields(Place))) for place in message["places"]]
        new, now = self._tell(places), asyncio.get_running_loop().time()
        self._taken.update((place.driver_id, now) for place in new)

    async def run(self) -> None:
        while True:
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
        if new := set(self._new):
            places = await self._ask(latest)
            self._tell(places)  # what the channel layer did not bring
            # Of two that are equally old, the one just read knows where the driver is on the way to.
            self._write([max(place, self._told[place.driver_id], key=attrgetter("at")) for place in places], to=new)
            self._new -= new
        if waiting := self._waiting:
            self._waiting = {}
            places = await self._ask(keep, waiting.values())
            self._tell(places)
            if places:
                await outbox.broadcast({"type": "positions", "places": [asdict(place) for place in places]})

    def _tell(self, places: Iterable[Place]) -> list[Place]:
        """Tells and returns what is new: nobody sees a driver go back in time, whichever server's news comes last."""
        new = [place for place in places if self._is_new(place)]
        self._told.update((place.driver_id, place) for place in new)
        events = [event for place in new for event in place.events()]
        for reader, batch in batches(events, self._readers.by_channel):
            if reader not in self._new:  # they are told the latest of all drivers together
                reader.offer(batch)
        return new

    def _is_new(self, place: Place) -> bool:
        told = self._told.get(place.driver_id)
        return told is None or place.at > told.at

    def _write(self, places: Iterable[Place], to: set[Connection]) -> None:
        events = [event for place in places for event in place.events()]
        heard = frozenset[str]().union(*(event.channels for event in events))
        by_channel = {channel: self._readers.by_channel.get(channel, set()) & to for channel in heard}
        for reader, batch in batches(events, by_channel):
            reader.deliver(batch)
