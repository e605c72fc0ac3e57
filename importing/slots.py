"""Times of the day in the column of the time slot, as spreadsheets and people write them."""

from __future__ import annotations

import re

from orders.models import TimeSlot
from web.numerals import chinese

# First and last minute of each slot, as its label says.
MINUTES = {
    TimeSlot.MORNING: (8 * 60, 12 * 60),
    TimeSlot.AFTERNOON: (13 * 60, 17 * 60),
    TimeSlot.EVENING: (18 * 60, 21 * 60),
}
NUMBER = r"\d{1,2}|[零〇一二三四五六七八九十兩两]{1,3}"
CLOCK = re.compile(
    rf"(上午|早上|早|凌晨|中午|下午|午後|傍晚|晚上|晚間|晚|[ap]\.?m\.?)?({NUMBER})"
    rf"(?::(\d\d)(?::\d\d(?:\.\d+)?)?|[點时時](?:整|(半)|({NUMBER})分?)?)?([ap]\.?m\.?)?"
)
BEFORE_NOON = {"上午", "早上", "早", "凌晨", "a"}
FRACTION = re.compile(r"0?\.\d+")
# A time without a day is kept by spreadsheets as a time of their first day.
FIRST_DAY = re.compile(r"^(?:1899[-/]12[-/]3[01]|1900[-/]0?1[-/]0?[01]|1904[-/]0?1[-/]0?1)[ T]+")
DAY_MINUTES = 24 * 60


def slot_of(text: str) -> TimeSlot | None:
    """The slot that a time is in (`9:00`, `上午9點`, `0.375`), or whose hours these are (`8:00-12:00`); None: none.

    `text`: half width, without spaces, `-` between two times. Hours within a slot (`9:00-11:00`) are narrower than any
    promise made to the customer: they are no slot.
    """
    first, dash, last = text.replace("(", "").replace(")", "").partition("-")
    start = _minute(first)
    if start is None:
        return None
    if not dash:
        is_time = not re.fullmatch(r"\d+", text)  # a bare 9 may be anything
        return next((slot for slot, (begin, end) in MINUTES.items() if is_time and begin <= start <= end), None)
    end_minute = _minute(last)
    if end_minute is not None and end_minute < start:  # 下午1:00-5:00
        end_minute += DAY_MINUTES // 2
    return next((slot for slot, hours in MINUTES.items() if hours == (start, end_minute)), None)


def _minute(text: str) -> int | None:
    """Minutes since midnight; None: this is no time."""
    if FRACTION.fullmatch(text):
        return round(float(text) * DAY_MINUTES)
    match = CLOCK.fullmatch(text)
    if not match:
        return None
    before, hours, minutes, half, more, after = match.groups()
    hour, minute = _number(hours), 30 if half else _number(minutes or more or "0")
    if hour is None or minute is None or minute > 59:
        return None
    return _hour_of_day(hour, before or after or "") * 60 + minute


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() else chinese(text)


def _hour_of_day(hour: int, half: str) -> int:
    if not half:
        return hour
    if half in BEFORE_NOON or half.startswith("a"):
        return hour % 12 if hour <= 12 else DAY_MINUTES  # 上午 14:00 is no time
    late = half in {"中午"} and hour >= 11  # 中午 11:30
    return hour if late or hour >= 12 else hour + 12
