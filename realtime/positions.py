"""Driver positions. Only the latest of each driver is stored, in one row. Positions are not in the event log.

A hub stores what its drivers send, writes it to its own readers and broadcasts it to the other hubs on the channel
layer. This is separate from the log, so that positions neither delay order events nor push them out of memory.
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

from dispatch.models import MAX_POSITION_AGE, Driver, DriverLocation
from orders.models import Order
from realtime import frames, outbox
from realtime.connection import Connection, batches
from realtime.frames import Encoded
from realtime.readers import Readers
from web.refusals import Refusal

# Rate limit: one position of each driver is accepted in this many seconds; others are dropped.
EVERY_SECONDS = 1.0
# Positions that drivers send within this time are stored and written together. Clients that subscribe within it share
# one query.
PAUSE_SECONDS = 0.1
# Maximum number of positions in one message. A phone that was offline sends several at once.
MAX_POSITIONS = 100
# Maximum age of a timestamp. Phones store no older positions, so an older one comes from a wrong clock or the GPS week
# rollover (1,024 weeks).
OLDEST = timedelta(days=30)
# ISO 8601 with a six-digit year. Such a time is wrong: the phone took microseconds for milliseconds.
FAR_YEAR = re.compile(r"[+-]\d{6}-\d\d-\d\dT")
# Bounds of each number: degrees of WGS 84; km/h, degrees from north, metres.
PLACE = {"latitude": (-90, 90), "longitude": (-180, 180)}
MOTION = {"speed": (0, 300), "heading": (0, 360), "accuracy": (0, 100_000)}
# The fields of an event, besides the timestamp. Holders of a tracking link get no `driver_id`.
FIELDS = ("driver_id", "latitude", "longitude", "speed", "heading")


@dataclass(frozen=True, slots=True)
class DriverPosition:
    """A driver's position, with the driver's next order and its customer. `data` is what the office receives."""

    data: dict[str, Any]
    order_id: int | None
    customer_id: int | None

    @classmethod
    def of(cls, location: DriverLocation, order_id: int | None, customer_id: int | None) -> DriverPosition:
        data = {name: getattr(location, name) for name in FIELDS}
        return cls(data | {"timestamp": frames.iso(location.recorded_at)}, order_id, customer_id)

    @classmethod
    def from_message(cls, message: dict[str, Any]) -> DriverPosition:
        """Reads a position from another process. Missing fields become null: that process may run another release."""
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
        """An event for the office and the driver; if there is a next order, one without `driver_id` for its link."""
        drivers = ["drivers", f"driver:{self.driver_id}"]
        events = [Encoded.ephemeral("driver.location", "drivers", drivers, self.data)]
        if self.order_id is not None:
            data = {name: value for name, value in self.data.items() if name != "driver_id"}
            track = f"track:{self.order_id}"
            events.append(Encoded.ephemeral("driver.location", track, [f"customer:{self.customer_id}/{track}"], data))
        return events


def store(locations: Collection[DriverLocation]) -> list[DriverPosition]:
    """Stores the positions of active drivers that are newer than the stored ones. Returns them ordered by driver id."""
    active = Driver.objects.filter(is_active=True, user__is_active=True, pk__in=[row.driver_id for row in locations])
    known = set(active.values_list("pk", flat=True))
    # Two servers may write the same drivers at once. Locking the rows in the same order prevents a deadlock.
    ordered = sorted((row for row in locations if row.driver_id in known), key=lambda row: row.driver_id)
    with transaction.atomic():
        return _positions_of([row for row in ordered if DriverLocation.objects.save_if_newer(row)])


def latest_positions() -> list[DriverPosition]:
    return _positions_of(list(DriverLocation.objects.recent()))


def _positions_of(rows: Collection[DriverLocation]) -> list[DriverPosition]:
    stops = Order.objects.next_stops([row.driver_id for row in rows])
    customers = dict(Order.objects.filter(pk__in=stops.values()).values_list("pk", "customer_id"))
    return [DriverPosition.of(row, order := stops.get(row.driver_id), customers.get(order or 0)) for row in rows]


class Positions:
    """The positions of one hub. Runs on the event loop, but `run_on_thread` runs the queries."""

    def __init__(self, readers: Readers, run_on_thread: Callable[..., Awaitable[list[DriverPosition]]]) -> None:
        self._readers, self._run_on_thread = readers, run_on_thread
        self._waiting: dict[int, DriverLocation] = {}
        # New subscribers that have not received the latest positions. Weak, so that closed connections are not kept.
        self._new = WeakSet[Connection]()
        self._filled = asyncio.Event()
        self._accepted_at: dict[int, float] = {}
        self._latest: dict[int, DriverPosition] = {}

    def accept(self, location: DriverLocation) -> None:
        """Accepts a driver's position. Drops one within EVERY_SECONDS of another, or older than MAX_POSITION_AGE."""
        driver, now = location.driver_id, asyncio.get_running_loop().time()
        if (
            now - self._accepted_at.get(driver, -math.inf) < EVERY_SECONDS
            or location.recorded_at < timezone.now() - MAX_POSITION_AGE
        ):
            return
        self._accepted_at[driver] = now
        self._waiting[driver] = location
        self._filled.set()

    def schedule_latest(self, reader: Connection, channels: Iterable[str]) -> None:
        """Schedules the latest positions for a new subscriber of `channels`, if one of them carries positions."""
        if any(channel.partition(":")[0] in ("drivers", "driver", "track") for channel in channels):
            self._new.add(reader)
            self._filled.set()

    def receive(self, message: dict[str, Any]) -> None:
        """Receives positions from the channel layer, including those this hub sent."""
        new, now = (
            self._write_new(map(DriverPosition.from_message, message["places"])),
            asyncio.get_running_loop().time(),
        )
        self._accepted_at.update((place.driver_id, now) for place in new)

    async def run_once(self) -> None:
        """Waits for positions and new subscribers. Stores, writes and broadcasts the positions.

        Positions lost by an error are replaced by the drivers' next ones.
        """
        await self._filled.wait()
        if new := set(self._new):
            places = await self._run_on_thread(latest_positions)
            self._write_new(places)  # these include positions that the channel layer lost
            # `max` returns the first of two equally old ones: the one just read, which has the current next order.
            self._write([max(place, self._latest[place.driver_id], key=attrgetter("at")) for place in places], to=new)
            self._new -= new
        if waiting := self._waiting:
            self._waiting = {}
            places = await self._run_on_thread(store, waiting.values())
            self._write_new(places)
            if places:
                await outbox.broadcast({"type": "positions", "places": [place.message() for place in places]})
        if not self._new and not self._waiting:
            self._filled.clear()

    def _write_new(self, places: Iterable[DriverPosition]) -> list[DriverPosition]:
        """Writes the new positions to readers and returns them. Skips older ones: servers may deliver out of order."""
        new = [place for place in places if self._is_new(place)]
        self._latest.update((place.driver_id, place) for place in new)
        events = [event for place in new for event in place.events()]
        for reader, batch in batches(events, self._readers.by_channel):
            if reader not in self._new:  # new readers get the latest of all drivers in one batch
                reader.offer(batch)
        return new

    def _is_new(self, place: DriverPosition) -> bool:
        latest = self._latest.get(place.driver_id)
        return latest is None or place.at > latest.at

    def _write(self, places: Iterable[DriverPosition], to: set[Connection]) -> None:
        events = [event for place in places for event in place.events()]
        names = frozenset[str]().union(*(event.channels for event in events))
        by_channel = {channel: self._readers.by_channel.get(channel, set()) & to for channel in names}
        for reader, batch in batches(events, by_channel):
            reader.deliver(batch)


# --- reading messages of phones (docs/realtime.md, “Positions”) ---------------------------------------------------


def newest_location(driver_id: int, message: dict[str, Any]) -> DriverLocation:
    """Returns the latest valid position in a message. Raises Refusal if there is none, or more than MAX_POSITIONS."""
    positions = message.get("locations", [message])
    if not isinstance(positions, list) or not 1 <= len(positions) <= MAX_POSITIONS:
        raise Refusal("invalid_message", _("`locations` must be a list of 1 to %d positions.") % MAX_POSITIONS)
    now, locations, refusals = timezone.now(), list[DriverLocation](), list[Refusal]()
    # Reversed, because `max` returns the first of equal times. So of positions without a time, the last one counts.
    for position in reversed(positions):
        try:
            locations.append(_location(driver_id, position, now))
        except Refusal as refusal:
            refusals.append(refusal)
    if not locations:
        raise refusals[-1]
    return max(locations, key=lambda location: location.recorded_at)


def _location(driver_id: int, position: Any, now: datetime) -> DriverLocation:
    if not isinstance(position, dict):
        raise Refusal("invalid_message", _("A position must be a JSON object."))
    figures = {name: _validated_number(name, position.get(name), *bounds) for name, bounds in PLACE.items()}
    figures |= {
        name: _validated_number(name, position[name], *bounds)
        for name, bounds in MOTION.items()
        if position.get(name) is not None
    }
    return DriverLocation(driver_id=driver_id, recorded_at=_recorded_at(position.get("timestamp"), now), **figures)


def _validated_number(name: str, value: Any, least: float, most: float) -> float:
    # Not isinstance, because True is an int in Python.
    if type(value) not in (int, float) or not least <= value <= most:
        bounds = {"name": name, "least": least, "most": most}
        raise Refusal("invalid_message", _("`%(name)s` must be a number from %(least)d to %(most)d.") % bounds)
    return float(value)


def _recorded_at(timestamp: Any, now: datetime) -> datetime:
    """When the position was recorded; `now` if the time is missing or impossible (in the future, older than OLDEST).

    Raises Refusal if the timestamp is no time with a UTC offset.
    """
    if timestamp is None or (isinstance(timestamp, str) and FAR_YEAR.match(timestamp)):
        return now
    try:
        moment = datetime.fromisoformat(timestamp)
    except (TypeError, ValueError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Refusal("invalid_message", _("`timestamp` must be an ISO 8601 time with a UTC offset."))
    return moment if now - OLDEST <= moment <= now else now
