"""No SMS by night: SMS_QUIET_HOURS, by Taipei's clock."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from django.conf import settings
from django.utils import timezone


def hours() -> tuple[time, time] | None:
    """From when to when; None where nothing is set. Raises ValueError where it cannot be read."""
    if not settings.SMS_QUIET_HOURS:
        return None
    start, _, end = settings.SMS_QUIET_HOURS.partition("-")
    night = _clock(start), _clock(end)
    if night[0] == night[1]:
        raise ValueError("In this format the night is either no time at all or all of it.")
    return night


def _clock(text: str) -> time:
    return datetime.strptime(text.strip(), "%H:%M").time()  # noqa: DTZ007  (a time of day has no zone)


def until(moment: datetime) -> datetime | None:
    """When the night around `moment` ends; None by day."""
    if (night := hours()) is None:
        return None
    (start, end), local = night, timezone.localtime(moment)
    clock = local.time()
    is_night = start <= clock < end if start <= end else clock >= start or clock < end
    if not is_night:
        return None
    day = local.date() + timedelta(days=clock >= end)
    return timezone.make_aware(datetime.combine(day, end))
