"""Parses dates as people in Taiwan and their spreadsheets write them."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import date, datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from importing.cells import CellError, plain_cell, whole_number
from web.limits import YEAR
from web.numerals import to_digits

ROC_EPOCH = 1911
# Day 0 of spreadsheets. It is one day early, because Excel counts a 29 February 1900 that never existed.
SERIAL_EPOCH = date(1899, 12, 30)
# Formats in which the order of year, month and day is clear.
CLEAR_FORMATS = [
    re.compile(form)
    for form in (
        r"(?P<serial>\d{5})",
        r"(?P<m>\d{1,2})[-/.月](?P<d>\d{1,2})日?",
        # `2026-11-23`, `115/11/23`, `民國115年11月23日(一)`, `2026/11/23 00:00`.
        r"(?P<y>\d{3,4})[-/.年](?P<m>\d{1,2})[-/.月](?P<d>\d{1,2})日?",
        r"(?P<y>(?:19|20)\d\d|\d{3})(?P<m>\d{2})(?P<d>\d{2})",
        # `1-Dec-26` and `1-十二月-26`, after `_simplify` has replaced the month by digits.
        r"(?P<d>\d{1,2})-(?P<m>\d{1,2})月\.?(?:[-, ]*(?P<y>\d{4}|\d{2}))?",
    )
]
# A spreadsheet that reads 12.10, 12.20 and 12.30 as numbers leaves 12.1, 12.2 and 12.3.
ZERO_DROPPED = re.compile(r"\d{1,2}\.[123]")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MONTH = re.compile(rf"(?<=\d)[- ]?({'|'.join(MONTHS)})[a-z]{{0,6}}", re.IGNORECASE)
# An instant as programs write it. Its date is taken in Taipei time.
INSTANT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)? ?(?:Z|[+-]\d\d(?::?\d\d)?)", re.IGNORECASE)
# Text around a date that adds nothing: the name of the republican era and the weekday.
AROUND = re.compile(r"^(?:中華)?民國|\(?(?:星期|週|周)?[一二三四五六日]\)?$")
# Zero minutes, with or without zero seconds.
SHARP = r"(?::00){1,2}(?:\.0+)?"
MIDNIGHT = re.compile(
    rf"(?:(?:[T ]|(?<=[日)]))0{{1,2}}{SHARP}| ?(?:上午|凌晨|午前|am) ?(?:12|0{{1,2}}){SHARP}"
    rf"|[T ]12{SHARP} ?(?:上午|am|a\.m\.))$",
    re.IGNORECASE,
)
TIME_OF_DAY = re.compile(r"\d(?::\d\d){1,2}|[上下]午|\d{5}\.\d+")
NUMERALS = re.compile("[〇○零一二三四五六七八九十百]+(?=[年月日])")
# Formats in which the order of year, month and day is unclear, such as `12/01/2026`, `26/12/1`, `1201` and `261201`.
# There is one pattern for each possible reading.
AMBIGUOUS_FORMATS = [
    re.compile(form.replace("/", "[-/.]"))
    for form in (
        r"(?P<m>\d\d?)(?P<d>\d\d)", r"(?P<m>\d\d)(?P<d>\d)", r"(?P<d>\d\d?)(?P<m>\d\d)", r"(?P<d>\d\d)(?P<m>\d)",
        r"(?P<y>\d\d)(?P<m>\d\d)(?P<d>\d\d)", r"(?P<y>\d{3})(?P<m>\d)(?P<d>\d\d)", r"(?P<y>\d{3})(?P<m>\d\d)(?P<d>\d)",
        r"(?P<d>\d\d)(?P<m>\d\d)(?P<y>\d{4}|\d\d)", r"(?P<m>\d\d)(?P<d>\d\d)(?P<y>\d{4}|\d\d)",
        r"(?P<y>\d\d)/(?P<m>\d\d?)/(?P<d>\d\d?)",
        r"(?P<d>\d\d?)/(?P<m>\d\d?)/(?P<y>\d{2,4})", r"(?P<m>\d\d?)/(?P<d>\d\d?)/(?P<y>\d{2,4})",
    )
]  # fmt: skip


def parse_date(text: str, today: date) -> date:
    """Parses a date; without a year, takes the one nearest to `today`.

    Raises CellError. For an ambiguous text, its message lists the dates that the text may mean.
    """
    typed = plain_cell(text).removeprefix("'")
    if INSTANT.fullmatch(typed):
        return _check_near(_in_taipei(typed), today)
    # `12.2(三)` does not match: no spreadsheet reads it as a number.
    if ZERO_DROPPED.fullmatch(typed) and len(days := _readings(CLEAR_FORMATS, [typed, f"{typed}0"], today)) > 1:
        raise CellError(_ambiguity_text(days))
    typed = whole_number(_simplify(typed))
    if not typed:
        raise CellError(_("The date is missing. Please enter it."))
    found = next(filter(None, (form.fullmatch(typed) for form in CLEAR_FORMATS)), None)
    if found is None:
        raise CellError(_error_text(typed, today))
    return _check_near(_day(found, today), today)


def _in_taipei(instant: str) -> date:
    try:
        return timezone.localdate(datetime.fromisoformat(re.sub(r" (?=[Z+-])", "", instant.upper())))
    except (ValueError, OverflowError):
        raise CellError(_("This is not a valid date and time. Please correct it.")) from None


def _simplify(text: str) -> str:
    """Removes midnight, era and weekday, and converts numerals and names of months to digits."""
    typed = re.sub(r"\s*([-/.年月日()])\s*", r"\1", MIDNIGHT.sub("", text))
    typed = AROUND.sub("", NUMERALS.sub(lambda found: to_digits(found[0]), typed)).strip()
    return MONTH.sub(lambda found: f"-{MONTHS.index(found[1].lower()) + 1}月", typed)


def _day(found: re.Match[str], today: date) -> date:
    """The date of a match; without a year, the one nearest to `today`. Raises CellError if there is no such day."""
    parts = found.groupdict()
    if serial := parts.get("serial"):
        return SERIAL_EPOCH + timedelta(days=int(serial))
    years = [_full_year(parts["y"])] if parts.get("y") else range(today.year - 1, today.year + 2)
    days = []
    for year in years:
        with suppress(ValueError):
            days.append(date(year, int(parts["m"]), int(parts["d"])))
    if not days:
        raise CellError(_("This day does not exist. Please correct it."))
    return min(days, key=lambda day: abs(day - today))


def _full_year(year: str) -> int:
    """Two digits mean this century; other years below 1000 are republican (1911 is year 0)."""
    if len(year) == 2:
        return int(year) + 2000
    return int(year) + (ROC_EPOCH if int(year) < 1000 else 0)


def _check_near(day: date, today: date) -> date:
    """Returns `day`. Raises CellError if it is more than a year away."""
    if abs(day - today) > YEAR:
        raise CellError(_("This date (%s) is more than a year away. Please check it.") % day.isoformat())
    return day


def _error_text(typed: str, today: date) -> str:
    """The message for a text in none of the CLEAR_FORMATS."""
    if TIME_OF_DAY.search(typed):
        return _("This cell contains a time. Please write only the date here, and the time in the time slot column.")
    if readings := _readings(AMBIGUOUS_FORMATS, [typed], today):
        return _ambiguity_text(readings)
    return _("This is not a date. Please write it like this: %s.") % f"{today:%Y-%m-%d}"


def _ambiguity_text(days: list[date]) -> str:
    if len(days) == 1:
        return _("This form of a date is not clear. If you mean %s, write it that way.") % days[0].isoformat()
    return _("This could be %(days)s. Please write it as one of these.") % {
        "days": _(" or ").join(map(date.isoformat, days))
    }


def _readings(forms: list[re.Pattern[str]], texts: list[str], today: date) -> list[date]:
    """The dates within a year that these texts may mean, nearest first."""
    found = set()
    for match in filter(None, (form.fullmatch(text) for form in forms for text in texts)):
        with suppress(CellError):
            found.add(_check_near(_day(match, today), today))
    return sorted(found, key=lambda day: abs(day - today))
