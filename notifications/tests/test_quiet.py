from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from notifications import quiet

TAIPEI = ZoneInfo("Asia/Taipei")


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=TAIPEI)


@pytest.mark.parametrize(
    ("hours", "moment", "ends"),
    [
        ("21:00-08:00", at(23, 20, 59), None),
        ("21:00-08:00", at(23, 21), at(24, 8)),
        ("21:00-08:00", at(24, 0), at(24, 8)),
        ("21:00-08:00", at(24, 7, 59), at(24, 8)),
        ("21:00-08:00", at(24, 8), None),
        ("12:00-13:30", at(23, 12, 30), at(23, 13, 30)),
        ("12:00-13:30", at(23, 13, 30), None),
        ("00:00-06:00", at(23, 0), at(23, 6)),
        ("", at(23, 3), None),
    ],
)
def test_the_night_ends(settings: Any, hours: str, moment: datetime, ends: datetime | None) -> None:
    settings.SMS_QUIET_HOURS = hours
    assert quiet.until(moment) == ends


@pytest.mark.parametrize("hours", ["21:00", "night", "25:00-08:00", "21:00-08:00-09:00"])
def test_nonsense_is_refused(settings: Any, hours: str) -> None:
    settings.SMS_QUIET_HOURS = hours
    with pytest.raises(ValueError, match="format|unconverted"):
        quiet.hours()
