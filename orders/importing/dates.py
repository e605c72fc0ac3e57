"""Dates as people in Taiwan write them."""

from __future__ import annotations

import re
from datetime import date

from django.utils.translation import gettext as _

from orders.importing.cells import CellError, plain

# Orders are for days near today; further away the year is a typing error.
FURTHEST_DAYS = 366
ROC_EPOCH = 1911
# Year, month, day: `2026-11-23`, `115/11/23`, `民國115年11月23日(一)`, `2026/11/23 00:00`.
FULL = re.compile(r"(\d{3,4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?")
COMPACT = re.compile(r"(\d{3,4})(\d{2})(\d{2})")
SHORT = re.compile(r"(\d{1,2})[-/.月](\d{1,2})日?")
# A republican year is said, a weekday and the midnight of a spreadsheet add nothing.
AROUND = re.compile(r"^(?:中華)?民國|\(?(?:星期|週|周)?[一二三四五六日]\)?$|[T ]0{1,2}:00(?::00)?$")


def parse_date(text: str, today: date) -> date:
    """The day; without a year the one nearest to `today`. Raises CellError."""
    typed = _bare(text)
    if not typed:
        raise CellError(_("The date is missing."))
    if short := SHORT.fullmatch(typed):
        return _nearest(int(short[1]), int(short[2]), today)
    full = FULL.fullmatch(typed) or COMPACT.fullmatch(typed)
    if not full:
        raise CellError(_("This is not a date. Write it as %s.") % f"{today:%Y-%m-%d}")
    year, month, day = map(int, full.groups())
    return _near(_existing(year + ROC_EPOCH if year < 1000 else year, month, day), today)


def _bare(text: str) -> str:
    typed = re.sub(r"\s*([-/.年月日()])\s*", r"\1", plain(text))
    return AROUND.sub("", typed).strip()


def _existing(year: int, month: int, day: int) -> date:
    try:
        return date(year, month, day)
    except ValueError:
        raise CellError(_("This day does not exist.")) from None


def _near(day: date, today: date) -> date:
    if abs((day - today).days) > FURTHEST_DAYS:
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
