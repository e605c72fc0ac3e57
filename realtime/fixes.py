"""What a telephone says of where it is, checked (README, “Positions”)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from orders.models import DriverLocation
from orders.refusals import Refusal

Message = dict[str, Any]
# Positions in one message; a telephone that was without signal for longer sends several.
MOST_FIXES = 100
# How far a telephone's clock may be ahead of ours.
CLOCK_SKEW = timedelta(seconds=60)
# Degrees of WGS 84; km/h; degrees from north; metres.
PLACE = {"latitude": (-90, 90), "longitude": (-180, 180)}
MOTION = {"speed": (0, 300), "heading": (0, 360), "accuracy": (0, 100_000)}


def newest(driver_id: int, message: Message) -> DriverLocation:
    """The latest of the positions in a message, which are all checked. Raises Refusal."""
    fixes = message.get("locations", [message])
    if not isinstance(fixes, list) or not 1 <= len(fixes) <= MOST_FIXES:
        raise Refusal("invalid_message", _("“locations” is a list of 1 to %d positions.") % MOST_FIXES)
    now = timezone.now()
    # Of those of one moment, or of none, the last that was said.
    return max((_fix(driver_id, fix, now) for fix in reversed(fixes)), key=lambda location: location.recorded_at)


def _fix(driver_id: int, said: Any, now: datetime) -> DriverLocation:
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
    """When the fix was taken; now where it is not said."""
    if said is None:
        return now
    try:
        moment = datetime.fromisoformat(said)
    except (TypeError, ValueError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Refusal("invalid_message", _("“timestamp” is a time in ISO 8601 with its offset."))
    if moment > now + CLOCK_SKEW:
        raise Refusal("invalid_time", _("The time lies in the future; check the clock of the device."))
    return moment
