"""Where the drivers are. Only the latest matters: one row each, told as it comes, in no log and never waited for.

A hub writes what its drivers send, tells its own readers, and tells the other hubs by the channel layer. All of it is
apart from the log: a position neither holds up nor pushes out an order.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Awaitable, Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any
from weakref import WeakSet

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from dispatch.models import RECENT, Driver, DriverLocation
from orders.models import Order
from realtime import frames, outbox
from realtime.connection import Connection, batches
from realtime.frames import Encoded
from realtime.readers import Readers
from web.refusals import Refusal

# Of each driver one position in so many seconds is taken; the others are dropped.
EVERY_SECONDS = 1.0
# Positions that come within this are written together, and clients that come within it are told them together.
PAUSE_SECONDS = 0.1
# Positions in one message; a telephone that was without signal for longer sends several.
MOST_POSITIONS = 100
# No telephone keeps a position for longer: an older stamp is a fault of its clock, or of GPS that counts 1,024 weeks.
OLDEST = timedelta(days=30)
# How ISO 8601 writes years of six digits: a telephone took microseconds for milliseconds.
FAR_YEAR = re.compile(r"[+-]\d{6}-\d\d-\d\dT")
# Degrees of WGS 84; km/h; degrees from north; metres.
PLACE = {"latitude": (-90, 90), "longitude": (-180, 180)}
MOTION = {"speed": (0, 300), "heading": (0, 360), "accuracy": (0, 100_000)}
# What the office reads of a position, besides its time.
FIELDS = ("driver_id", "latitude", "longitude", "speed", "heading")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a driver is, and the order they are on the way to, with its customer. `data` is what the office reads."""

    data: dict[str, Any]
    order_id: int | None
    customer_id: int | None

    @classmethod
    def of(cls, location: DriverLocation, order_id: int | None, customer_id: int | None) -> Place:
        data = {name: getattr(location, name) for name in FIELDS}
        return cls(data | {"timestamp": frames.iso(location.recorded_at)}, order_id, customer_id)

    @classmethod
    def heard(cls, message: dict[str, Any]) -> Place:
        """From another process, in an upgrade one of another release: what that does not say is null."""
        data = {name: message.get(name) for name in (*FIELDS, "timestamp")}
        return cls(data, message.get("order_id"), message.get("customer_id"))

    def message(self) -> dict[str, Any]:
        return self.data | {"order_id": self.order_id, "customer_id": self.customer_id}

    @property
    def driver_id(self) -> int:
        return int(self.data["driver_id"])

    @property
    def at(self) -> datetime:
        return datetime.fromisoformat(self.data["timestamp"])

    def events(self) -> list[Encoded]:
        """For the office and the driver; and, without who drives, for whoever waits for them."""
        drivers = ["drivers", f"driver:{self.driver_id}"]
        told = [Encoded.ephemeral("driver.location", "drivers", drivers, self.data)]
        if self.order_id is not None:
            data = {name: value for name, value in self.data.items() if name != "driver_id"}
            track = f"track:{self.order_id}"
            told.append(Encoded.ephemeral("driver.location", track, [f"customer:{self.customer_id}/{track}"], data))
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
        """From the channel layer, which brings back our own too."""
        new, now = self._tell(map(Place.heard, message["places"])), asyncio.get_running_loop().time()
        self._taken.update((place.driver_id, now) for place in new)

    async def turn(self) -> None:
        """Positions of a turn that fails are lost; the drivers' next ones are on their way."""
        await self._filled.wait()
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
                await outbox.broadcast({"type": "positions", "places": [place.message() for place in places]})
        if not self._new and not self._waiting:
            self._filled.clear()

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


# --- what a telephone reports (docs/realtime.md, “Positions”) -----------------------------------------------------


def newest(driver_id: int, message: dict[str, Any]) -> DriverLocation:
    """The latest of the positions in a message. One that is wrong is left out; raises Refusal where all are."""
    positions = message.get("locations", [message])
    if not isinstance(positions, list) or not 1 <= len(positions) <= MOST_POSITIONS:
        raise Refusal("invalid_message", _("“locations” must be a list of 1 to %d positions.") % MOST_POSITIONS)
    now, locations, refusals = timezone.now(), list[DriverLocation](), list[Refusal]()
    # Of those of one moment, or of none, the last that was said.
    for said in reversed(positions):
        try:
            locations.append(_location(driver_id, said, now))
        except Refusal as refusal:
            refusals.append(refusal)
    if not locations:
        raise refusals[-1]
    return max(locations, key=lambda location: location.recorded_at)


def _location(driver_id: int, said: Any, now: datetime) -> DriverLocation:
    if not isinstance(said, dict):
        raise Refusal("invalid_message", _("A position must be a JSON object."))
    figures = {name: _figure(name, said.get(name), *bounds) for name, bounds in PLACE.items()}
    figures |= {
        name: _figure(name, said[name], *bounds) for name, bounds in MOTION.items() if said.get(name) is not None
    }
    return DriverLocation(driver_id=driver_id, recorded_at=_moment(said.get("timestamp"), now), **figures)


def _figure(name: str, value: Any, least: float, most: float) -> float:
    # Not isinstance: `true` is an int to Python.
    if type(value) not in (int, float) or not least <= value <= most:
        words = {"name": name, "least": least, "most": most}
        raise Refusal("invalid_message", _("“%(name)s” must be a number from %(least)d to %(most)d.") % words)
    return float(value)


def _moment(said: Any, now: datetime) -> datetime:
    """When the position was taken; the time of receipt where that is not said, or where it cannot be right."""
    if said is None or (isinstance(said, str) and FAR_YEAR.match(said)):
        return now
    try:
        moment = datetime.fromisoformat(said)
    except (TypeError, ValueError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Refusal("invalid_message", _("“timestamp” must be an ISO 8601 time with a UTC offset."))
    return moment if now - OLDEST <= moment <= now else now
