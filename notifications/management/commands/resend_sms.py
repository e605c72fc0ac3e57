"""`manage.py resend_sms`: sends what a fault left behind."""

from __future__ import annotations

import re
import sys
from argparse import ArgumentTypeError
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, as_completed, wait
from datetime import date, datetime, time, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext as _
from tqdm import tqdm

from notifications import messages, resending, rules, segments, sender
from notifications.models import NotificationHistory
from notifications.states import Kind, Reason, Status, Type
from orders import numbers
from orders.models import Order
from orders.refusals import Refusal

WRONG_USE = 2
UNITS = {"m": "minutes", "h": "hours", "d": "days"}
# Enough rows to keep the senders busy, few enough to leave little pending when interrupted.
MOST_UNDER_WAY = 100
ALWAYS_SAID = (Status.SENT.value, Status.FAILED.value, Status.UNKNOWN.value)
# Another process was faster; a fault of ours (of the database, say), which is in the log.
LEFT_TO_OTHERS, BROKEN = "left_to_others", "broken"


class Command(BaseCommand):
    """Exit code 0: all went out, or nothing was owed. 1: a message failed or is unknown. 2: wrong use."""

    help = _("Sends SMS again. Several at once never send one message twice.")

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add("--failed", action="store_true", help=_("those that certainly were not sent"))
        add("--unknown", action="store_true", help=_("those whose request was never answered"))
        add("--stuck", action="store_true", help=_("those that a dead process left waiting or half sent"))
        add("--since", type=moment, help=_("made since: 2026-11-23, 2026-11-23T08:00, or 30m, 2h, 7d ago"))
        add("--order", help=_("of one order, by number or id"))
        add("--kind", choices=Kind.values, help=_("of one kind"))
        add("--limit", type=positive, help=_("this many at most, the oldest first"))
        add("--dry-run", action="store_true", help=_("say what would be sent and what it costs; change nothing"))

    def handle(self, *args: Any, **options: Any) -> None:
        rows = list(chosen(**options))
        if options["dry_run"]:
            self.list_rows(rows)
            return
        outcomes = Counter(self.progress(send_all(rows), len(rows)))
        others = sorted(set(outcomes) - set(ALWAYS_SAID))
        self.stdout.write(", ".join(f"{word} {outcomes[word]}" for word in (*ALWAYS_SAID, *others)))
        if any(outcomes[word] for word in (Status.FAILED, Status.UNKNOWN, BROKEN)):
            sys.exit(1)

    def progress(self, outcomes: Iterator[str], total: int) -> Iterator[str]:
        return iter(tqdm(outcomes, total=total, unit="SMS", file=sys.stderr, disable=None))

    def list_rows(self, rows: list[NotificationHistory]) -> None:
        total = 0
        for row in rows:
            if not row.attempts:
                row.type, row.recipient = rules.way_to(row.customer)
            verdict = rules.against(row)
            cost = 0 if verdict or row.type != Type.SMS else segments.count(row.content or messages.render(row))
            total += cost
            said = verdict.reason.value if verdict else _("%d segments") % cost
            self.stdout.write(f"{row.order or '-'}  {row.kind}  {row.masked_recipient}  {row.status}  {said}")
        self.stdout.write(_("%(rows)d messages, %(segments)d segments") % {"rows": len(rows), "segments": total})


def chosen(**options: Any) -> QuerySet[NotificationHistory]:
    """The rows the options name, the oldest first. Raises CommandError."""
    rows = NotificationHistory.objects.filter(which(**options)).not_resent()
    if options["since"]:
        rows = rows.filter(created_at__gte=options["since"])
    if options["kind"]:
        rows = rows.filter(kind=options["kind"])
    if options["order"]:
        rows = rows.filter(order=order_named(options["order"]))
    return rows.select_related("customer", "order").order_by("created_at", "id")[: options["limit"]]


def which(*, failed: bool, unknown: bool, stuck: bool, **others: Any) -> Q:
    if not (failed or unknown or stuck):
        raise CommandError(_("Say which: --failed, --unknown, --stuck, or several of them."), returncode=WRONG_USE)
    found = Q(pk__in=[])
    if failed:
        found |= Q(status=Status.FAILED)
    if unknown:
        found |= Q(status=Status.UNKNOWN)
    if stuck:
        rows = NotificationHistory.objects
        found |= Q(pk__in=rows.due().values("pk")) | Q(pk__in=rows.interrupted().values("pk"))
    return found


def order_named(text: str) -> Order:
    found = Q(order_number=numbers.as_typed(text))
    if re.fullmatch("[0-9]{1,18}", text):
        found |= Q(pk=int(text))
    order = Order.objects.filter(found).order_by("-order_number").first()
    if order is None:
        raise CommandError(_("There is no order %s.") % text[:40], returncode=WRONG_USE)
    return order


def send_all(rows: list[NotificationHistory]) -> Iterator[str]:
    """What became of each row, as it becomes known: a status, or why it was not sent."""
    under_way: set[Future[NotificationHistory | None]] = set()
    for row in rows:
        try:
            under_way.add(sender.submit(resending.prepare(row).pk))
        except Refusal as refusal:
            yield Status.UNKNOWN if refusal.code == Reason.INTERRUPTED else refusal.code
        if len(under_way) >= MOST_UNDER_WAY:
            done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            yield from map(outcome, done)
    yield from map(outcome, as_completed(under_way))


def outcome(future: Future[NotificationHistory | None]) -> str:
    if future.exception() is not None:
        return BROKEN
    sent = future.result()
    return sent.status if sent else LEFT_TO_OTHERS


def moment(text: str) -> datetime:
    """A point in time: ISO 8601 (Taipei's where it names no zone), or how long ago."""
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
    if not re.fullmatch("[0-9]{1,9}", text) or int(text) < 1:
        raise ArgumentTypeError(_("“%s” is no number of messages.") % text[:40])
    return int(text)
