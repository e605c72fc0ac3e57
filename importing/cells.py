"""Parsers for single cells, as people in Taiwan write them. They raise CellError."""

from __future__ import annotations

import re
import unicodedata

from django.utils.translation import gettext as _

from customers import phones
from orders.models import OrderItem, Priority, TimeSlot
from web.numerals import chinese_number
from web.text import remove_invisible

# How many characters a cell may have at most, and how many an order's number in the sheet.
MAX_CELL = 500
MAX_NUMBER = 40
# A number that a spreadsheet shows as `912000136.0` or, in a narrow column, `9.12000136E+08`.
FLOAT = re.compile(r"(\d+)\.0+|(\d)\.(\d+)e\+?0*(\d+)", re.IGNORECASE)
# The unit after a quantity: 3桶, 2支.
UNIT = re.compile(r"[桶支瓶個]裝?$")
SLOTS = {
    "": TimeSlot.ANYTIME, "隨時": TimeSlot.ANYTIME, "不限": TimeSlot.ANYTIME, "皆可": TimeSlot.ANYTIME,
    "上午": TimeSlot.MORNING, "早上": TimeSlot.MORNING, "8:00-12:00": TimeSlot.MORNING,
    "下午": TimeSlot.AFTERNOON, "13:00-17:00": TimeSlot.AFTERNOON,
    "晚上": TimeSlot.EVENING, "18:00-21:00": TimeSlot.EVENING,
} | {slot.value: slot for slot in TimeSlot}  # fmt: skip
PRIORITIES = {
    "": Priority.NORMAL, "一般": Priority.NORMAL, "普通": Priority.NORMAL,
    "急件": Priority.URGENT, "急": Priority.URGENT, "緊急": Priority.URGENT, "特急": Priority.URGENT,
} | {priority.value: priority for priority in Priority}  # fmt: skip
# First and last minute of each slot, as in its label.
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
BEFORE_NOON = {"上午", "早上", "早", "凌晨"}
# A time of day that a spreadsheet shows as a fraction of the day: 0.375 is 9:00.
FRACTION = re.compile(r"0?\.\d+")
# Spreadsheets store a time without a date as a time on their first day.
FIRST_DAY = re.compile(r"^(?:1899[-/]12[-/]3[01]|1900[-/]0?1[-/]0?[01]|1904[-/]0?1[-/]0?1)[ T]+")
DAY_MINUTES = 24 * 60


class CellError(ValueError):
    """A cell that cannot be parsed. The message gives the reason in the reader's language."""


def check_length(text: str, maximum: int = MAX_CELL) -> str:
    """Returns `text` unchanged. Raises CellError if it has more than `maximum` characters."""
    if len(text) > maximum:
        raise CellError(_("Longer than %d characters. Please shorten it.") % maximum)
    return text


def plain_cell(text: str) -> str:
    """Converts full width to half width and white space to single spaces. Raises CellError if the cell is too long."""
    return " ".join(unicodedata.normalize("NFKC", remove_invisible(check_length(text))).split())


def free_text(text: str, maximum: int = MAX_CELL) -> str:
    """The text as typed (`，` stays), with single spaces. Raises CellError if it is longer than `maximum`."""
    return check_length(" ".join(remove_invisible(text).split()), maximum)


def whole_number(text: str) -> str:
    """Removes decimals and exponents that a spreadsheet added to a whole number. Returns other text unchanged."""
    match = FLOAT.fullmatch(unicodedata.normalize("NFKC", text).strip())
    if not match:
        return text
    if match[1]:
        return match[1]
    return match[2] + match[3] if len(match[3]) == int(match[4][:3]) else text


def parse_number(text: str) -> str:
    """The order's number in the sheet, without leading zeros, which spreadsheets may drop. Raises CellError."""
    typed = check_length(whole_number(plain_cell(text)), MAX_NUMBER)
    return typed.lstrip("0") or "0" if typed.isdecimal() else typed


def parse_phones(text: str) -> tuple[str, ...]:
    """At most two normalised numbers, mobiles first. Raises CellError."""
    try:
        found = list(
            dict.fromkeys(phones.normalise(whole_number(part)) for part in phones.split_cell(check_length(text)))
        )
    except phones.InvalidPhone as error:
        raise CellError(error.message) from error
    if len(found) > 2:
        raise CellError(_("More than two telephone numbers. Please keep two."))
    return tuple(sorted(found, key=lambda phone: not phones.is_mobile(phone)))


def parse_quantity(text: str) -> int:
    """A whole number from 1 to OrderItem.MAX_QUANTITY: `2`, `２`, `兩`, `十二`, `3桶`. Raises CellError."""
    typed = UNIT.sub("", plain_cell(text).replace(" ", ""))
    if not typed:
        raise CellError(_("The quantity is missing. Please enter it."))
    count = chinese_number(typed) if not re.fullmatch(r"[+-]?[0-9]{1,18}(?:\.0+)?", typed) else int(float(typed))
    if count is None:
        raise CellError(_("This is not a number of cylinders. Please enter a whole number, such as 3."))
    if not 1 <= count <= OrderItem.MAX_QUANTITY:
        raise CellError(_("The quantity must be from 1 to %d. Please correct it.") % OrderItem.MAX_QUANTITY)
    return count


def parse_slot(text: str) -> TimeSlot:
    """The slot with this name or these hours, or that includes this time; empty means any time. Raises CellError."""
    typed = re.sub(r"[~–—至到]", "-", FIRST_DAY.sub("", plain_cell(text)).replace(" ", "").casefold())
    found = SLOTS.get(re.sub(r"\b0(\d:)", r"\1", typed)) or _slot_of(typed)
    if found is None:
        raise CellError(
            _("This is not a time slot. Please use one of: %s.") % "、".join(name for name in SLOTS if name)
        )
    return found


def parse_priority(text: str) -> Priority:
    """The priority with this name; empty means normal. Raises CellError."""
    try:
        return PRIORITIES[plain_cell(text).casefold()]
    except KeyError:
        raise CellError(
            _("This is not a priority. Please use one of: %s.") % "、".join(name for name in PRIORITIES if name)
        ) from None


def _slot_of(text: str) -> TimeSlot | None:
    """The slot that includes a time (`9:00`, `上午9點`, `0.375`) or has exactly these hours (`8:00-12:00`), or None.

    `text` is half width, without spaces, with `-` between two times. Hours within a slot (`9:00-11:00`) give None,
    because we promise customers nothing narrower than a slot.
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
    """Minutes since midnight, or None if the text is not a time."""
    if FRACTION.fullmatch(text):
        return round(float(text) * DAY_MINUTES)
    match = CLOCK.fullmatch(text)
    if not match:
        return None
    before, hours, minutes, half, more, after = match.groups()
    hour, minute = _parse_numeral(hours), 30 if half else _parse_numeral(minutes or more or "0")
    if hour is None or minute is None or minute > 59:
        return None
    return _hour_of_day(hour, before or after or "") * 60 + minute


def _parse_numeral(text: str) -> int | None:
    return int(text) if text.isdecimal() else chinese_number(text)


def _hour_of_day(hour: int, half: str) -> int:
    if half in BEFORE_NOON or half.startswith("a"):
        return hour % 12 if hour <= 12 else DAY_MINUTES  # 上午 14:00 is invalid: this hour is in no slot
    is_noon = half == "中午" and hour >= 11  # 中午 11:30
    return hour if not half or is_noon or hour >= 12 else hour + 12
