"""Checks the positions that a driver's telephone reports (README, “Positions”)."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from dispatch.models import DriverLocation
from web.refusals import Refusal

Message = dict[str, Any]
# Positions in one message; a telephone that was without signal for longer sends several.
MOST_POSITIONS = 100
# No telephone keeps a position for longer: an older stamp is a fault of its clock, or of GPS that counts 1,024 weeks.
OLDEST = timedelta(days=30)
# How ISO 8601 writes years of six digits: a telephone took microseconds for milliseconds.
FAR_YEAR = re.compile(r"[+-]\d{6}-\d\d-\d\dT")
# Degrees of WGS 84; km/h; degrees from north; metres.
PLACE = {"latitude": (-90, 90), "longitude": (-180, 180)}
MOTION = {"speed": (0, 300), "heading": (0, 360), "accuracy": (0, 100_000)}


def newest(driver_id: int, message: Message) -> DriverLocation:
    """The latest of the positions in a message. One that is wrong is left out; raises Refusal where all are."""
    positions = message.get("locations", [message])
    if not isinstance(positions, list) or not 1 <= len(positions) <= MOST_POSITIONS:
        raise Refusal("invalid_message", _("“locations” is a list of 1 to %d positions.") % MOST_POSITIONS)
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
        raise Refusal("invalid_message", _("A position is a JSON object."))
    figures = {name: _figure(name, said.get(name), *bounds) for name, bounds in PLACE.items()}
    figures |= {
        name: _figure(name, said[name], *bounds) for name, bounds in MOTION.items() if said.get(name) is not None
    }
    return DriverLocation(driver_id=driver_id, recorded_at=_moment(said.get("timestamp"), now), **figures)


def _figure(name: str, value: Any, least: float, most: float) -> float:
    # Not isinstance: `true` is an int to Python.
    if type(value) not in (int, float) or not least <= value <= most:
        words = {"name": name, "least": least, "most": most}
        raise Refusal("invalid_message", _("“%(name)s” is a number from %(least)d to %(most)d.") % words)
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
        raise Refusal("invalid_message", _("“timestamp” is a time in ISO 8601 with its offset."))
    return moment if now - OLDEST <= moment <= now else now
