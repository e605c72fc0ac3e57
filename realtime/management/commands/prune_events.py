"""`manage.py prune_events`: deletes old events and expired tickets, tokens and checked sheets."""

from __future__ import annotations

import re
import sys
from argparse import ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils.translation import gettext as _
from tqdm import tqdm

from accounts.api import tokens
from importing.models import CheckedSheet
from realtime import auth, log
from realtime.models import Event
from web.text import normalize_typed

# How long events are stored by default. No phone stays offline for longer, and a client that missed many events loads a
# snapshot anyway.
DEFAULT_AGE = "7d"
UNITS = {"h": "hours", "d": "days"}


class Command(BaseCommand):
    """Can run while servers run. A client whose cursor was pruned gets `recovered: false` and loads a snapshot.

    The polling API answers 410.
    """

    help = _("Deletes old events, expired tickets and tokens, and sheets that were checked but not imported.")

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--older-than",
            type=parse_age,
            default=DEFAULT_AGE,
            help=_("delete events older than this, such as 12h or 7d (default 7d)"),
        )

    def handle(self, *args: Any, older_than: timedelta, **options: Any) -> None:
        floor = log.move_floor(older_than)
        deleted = self.delete(floor)
        auth.delete_expired_tickets()
        tokens.delete_expired()
        CheckedSheet.delete_expired()
        figures = {"deleted": deleted, "floor": floor, "kept": Event.objects.count()}
        self.stdout.write(_("%(deleted)d events deleted, up to id %(floor)d. %(kept)d remain.") % figures)

    def delete(self, floor: int) -> int:
        total, deleted = Event.objects.filter(seq__lte=floor).count(), 0
        with tqdm(total=total, unit="event", file=sys.stderr, disable=None) as progress:
            for count in log.prune(floor):
                progress.update(count)
                deleted += count
        return deleted


def parse_age(text: str) -> timedelta:
    """Parses hours or days: `12h`, `7d`. Raises ArgumentTypeError.

    The minimum is an hour, so that clients can resume after a short time offline.
    """
    found = re.fullmatch("([1-9][0-9]{0,3})([hd])", normalize_typed(text))
    if found is None:
        raise ArgumentTypeError(_("“%s” cannot be used. Write whole hours or days, such as 12h or 7d.") % text[:40])
    return timedelta(**{UNITS[found[2]]: int(found[1])})
