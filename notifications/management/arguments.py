"""What commands are told, read strictly."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from datetime import date, datetime, time, timedelta

from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext as _

from web.text import plain

UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def moment(text: str) -> datetime:
    """A point in time: ISO 8601 (Taipei's where it names no zone), or how long ago."""
    text = plain(text)
    try:
        if ago := re.fullmatch(r"(\d{1,4})([mhd])", text):
            return timezone.now() - timedelta(**{UNITS[ago[2]]: int(ago[1])})
        found: datetime | date | None = parse_date(text) or parse_datetime(text)
    except ValueError:
        found = None
    if found is None or found.year < 2000:
        raise ArgumentTypeError(_("“%s” is no time: write 2026-11-23T08:00, or 2h.") % text[:40])
    if not isinstance(found, datetime):
        found = datetime.combine(found, time.min)
    return found if timezone.is_aware(found) else timezone.make_aware(found)


def positive(text: str) -> int:
    text = plain(text)
    if not re.fullmatch("[0-9]{1,9}", text) or int(text) < 1:
        raise ArgumentTypeError(_("“%s” is no number of messages.") % text[:40])
    return int(text)
