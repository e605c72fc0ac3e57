"""Dates as people in Taiwan and their spreadsheets write them."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from importing.cells import CellError, plain
from importing.numerals import DIGITS, chinese, whole
from web.dates import YEAR

ROC_EPOCH = 1911
# Spreadsheets count days from here (Excel's calendar of 1900, in which 29 February 1900 is one too many).
SERIAL_EPOCH = date(1899, 12, 30)
# Year, month, day: `2026-11-23`, `115/11/23`, `民國115年11月23日(一)`, `2026/11/23 00:00`.
FULL = re.compile(r"(\d{3,4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?")
COMPACT = re.compile(r"((?:19|20)\d\d|\d{3})(\d{2})(\d{2})")
SHORT = re.compile(r"(\d{1,2})[-/.月](\d{1,2})日?")
SERIAL = re.compile(r"\d{5}")
# What is left of 12.10, 12.20 and 12.30 where a spreadsheet took them for numbers: 12.1, 12.2 and 12.3.
ZERO_DROPPED = re.compile(r"\d{1,2}\.[123]")
# `1-Dec-26`, and `1-十二月-26` in digits.
NAMED = re.compile(r"(\d{1,2})[- ]?([a-z]{3,9}|(?<=-)\d{1,2}月)\.?(?:[-, ]*(\d{4}|\d{2}))?", re.IGNORECASE)
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
# An instant as programs write it. Its day is the one in Taipei.
INSTANT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)? ?(?:Z|[+-]\d\d(?::?\d\d)?)", re.IGNORECASE)
# A republican year is said, a weekday and the midnight of a spreadsheet add nothing.
AROUND = re.compile(r"^(?:中華)?民國|\(?(?:星期|週|周)?[一二三四五六日]\)?$")
SHARP = r"(?::00){1,2}(?:\.0+)?"
MIDNIGHT = re.compile(
    rf"(?:(?:[T ]|(?<=[日)]))0{{1,2}}{SHARP}| ?(?:上午|凌晨|午前|am) ?(?:12|0{{1,2}}){SHARP}"
    rf"|[T ]12{SHARP} ?(?:上午|am|a\.m\.))$",
    re.IGNORECASE,
)
TIME_OF_DAY = re.compile(r"\d(?::\d\d){1,2}|[上下]午|\d{5}\.\d+")
NUMERALS = re.compile("[〇○零一二三四五六七八九十百]+(?=[年月日])")
# What texts without a clear order of year, month and day may mean: `12/01/2026`, `26/12/1`, `1201`, `261201`.
READINGS = [
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
    """The day; without a year the one nearest to `today`. Raises CellError: where it may be two days, it names both."""
    typed = plain(text).removeprefix("'")
    if INSTANT.fullmatch(typed):
        return _near(_in_taipei(typed), today)
    if ZERO_DROPPED.fullmatch(typed):  # and not `12.2(三)`, which no spreadsheet takes for a number
        return _of_number(typed, today)
    typed = whole(_bare(typed))
    if not typed:
        raise CellError(_("The date is missing."))
    day = _written(typed, today)
    if day is None:
        raise CellError(_why_none(typed, today))
    return _near(day, today)


def _written(typed: str, today: date) -> date | None:
    """None: it is written in no known way. Raises CellError."""
    if SERIAL.fullmatch(typed):
        return SERIAL_EPOCH + timedelta(days=int(typed))
    if short := SHORT.fullmatch(typed):
        return _nearest(int(short[1]), int(short[2]), today)
    if full := FULL.fullmatch(typed) or COMPACT.fullmatch(typed):
        return _existing(*map(int, full.groups()))
    if (named := NAMED.fullmatch(typed)) and (month := _month(named[2])):
        return (
            _existing(int(named[3]) % 2000 + 2000, month, int(named[1]))
            if named[3]
            else _nearest(month, int(named[1]), today)
        )
    return None


def _in_taipei(instant: str) -> date:
    try:
        return timezone.localdate(datetime.fromisoformat(re.sub(r" (?=[Z+-])", "", instant.upper())))
    except (ValueError, OverflowError):
        raise CellError(_("This day does not exist.")) from None


def _bare(text: str) -> str:
    typed = re.sub(r"\s*([-/.年月日()])\s*", r"\1", MIDNIGHT.sub("", text))
    return AROUND.sub("", NUMERALS.sub(lambda found: _in_digits(found[0]), typed)).strip()


def _in_digits(numeral: str) -> str:
    """`十二`, `二〇二六` and `一百一十五`."""
    hundreds, hundred, rest = numeral.rpartition("百")
    if hundred and hundreds in DIGITS:
        return str(DIGITS[hundreds] * 100 + (chinese(rest.lstrip("零〇○")) or 0))
    number = chinese(numeral)
    return str(number) if number is not None else "".join(str(DIGITS.get(digit, digit)) for digit in numeral)


def _month(name: str) -> int:
    """1 to 12; 0: there is no such month."""
    short = name[:3].lower()
    return MONTHS.index(short) + 1 if short in MONTHS else int(name.removesuffix("月")) if name.endswith("月") else 0


def _of_number(typed: str, today: date) -> date:
    """`12.2`, which was 12.2 or 12.20. Raises CellError where both are days."""
    month, day = map(int, typed.split("."))
    found = _nearest(month, day, today)
    try:
        other = _nearest(month, day * 10, today)
    except CellError:
        return found
    raise CellError(_unclear([found, other]))


def _existing(year: int, month: int, day: int) -> date:
    """Raises CellError. A year below 1000 is republican."""
    try:
        return date(year + ROC_EPOCH if year < 1000 else year, month, day)
    except ValueError:
        raise CellError(_("This day does not exist.")) from None


def _near(day: date, today: date) -> date:
    if abs(day - today) > YEAR:
        raise CellError(_("This day (%s) is more than a year away.") % day.isoformat())
    return day


def _nearest(month: int, day: int, today: date) -> date:
    found = []
    for year in (today.year - 1, today.year, today.year + 1):
        try:
            found.append(date(year, month, day))
        except ValueError:
            continue
    if not found:
        raise CellError(_("This day does not exist."))
    return min(found, key=lambda candidate: abs(candidate - today))


def _why_none(typed: str, today: date) -> str:
    if TIME_OF_DAY.search(typed):
        return _("There is a time of day beside the date; it belongs into the column of the time slot.")
    if readings := _readings(typed, today):
        return _unclear(readings)
    return _("This is not a date. Write it as %s.") % f"{today:%Y-%m-%d}"


def _unclear(days: list[date]) -> str:
    if len(days) == 1:
        return _("The order of day and month is not clear. If it is %s, write it so.") % days[0].isoformat()
    return _("This may be %(days)s. Write it as one of these.") % {"days": _(" or ").join(map(date.isoformat, days))}


def _readings(typed: str, today: date) -> list[date]:
    """The days within a year that a text may mean, the nearest first."""
    found = set()
    for match in filter(None, (form.fullmatch(typed) for form in READINGS)):
        year, month, day = match.groupdict().get("y"), int(match["m"]), int(match["d"])
        try:
            found.add(_near(_existing(_full_year(year), month, day) if year else _nearest(month, day, today), today))
        except CellError:
            continue
    return sorted(found, key=lambda candidate: abs(candidate - today))


def _full_year(year: str) -> int:
    return int(year) + 2000 if len(year) == 2 else int(year)
