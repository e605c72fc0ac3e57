"""`manage.py resend_sms`: sends messages again after a fault."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Q
from django.utils.translation import gettext as _

from notifications import carrier_rules, sending_rules
from notifications.management import batch
from notifications.management.batch import parse_count, parse_time
from notifications.models import NotificationHistory, NotificationQuerySet
from notifications.states import MessageKind, MessageStatus, MessageType
from orders import numbers
from orders.models import Order
from web.limits import is_id
from web.text import normalize_typed

WRONG_USE = 2


class Command(BaseCommand):
    """Exit code 1: a message failed or is unknown, or there was an error of ours. 2: wrong use.

    A waiting or outdated message is no failure.
    """

    help = _("Sends messages again. Parallel runs never send one message twice.")

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add(
            "--failed",
            action="store_true",
            help=_("messages that failed or were reported as not delivered; sending them again costs again"),
        )
        add("--unknown", action="store_true", help=_("messages that were sent without a response from the provider"))
        add("--stuck", action="store_true", help=_("messages that are due, or whose sending was interrupted"))
        add(
            "--since",
            type=parse_time,
            help=_(
                "only messages created since this time, or within this age: 2026-11-23, 2026-11-23T08:00, 30m, 2h or 7d"
            ),
        )
        add("--order", type=normalize_typed, help=_("only messages of this order, given by number or id"))
        add("--kind", type=normalize_typed, choices=MessageKind.values, help=_("only messages of this kind"))
        add("--limit", type=parse_count, help=_("at most this many, oldest first"))
        add("--dry-run", action="store_true", help=_("show what would be sent and its cost, without sending"))

    def handle(self, *args: Any, **options: Any) -> None:
        rows = list(select_rows(**options))
        if options["dry_run"]:
            self.list_rows(rows)
            return
        outcomes = batch.count_outcomes(batch.send_all(rows), len(rows))
        self.stdout.write(batch.summary(outcomes))
        if not batch.is_success(outcomes):
            sys.exit(1)

    def list_rows(self, rows: list[NotificationHistory]) -> None:
        total = 0
        for row in rows:
            if not row.attempts:
                row.type, row.recipient = sending_rules.choose_recipient(row.customer)
            verdict = sending_rules.blocking_verdict(row)
            cost = 0 if verdict or row.type != MessageType.SMS else carrier_rules.segments(row.content or row.render())
            total += cost
            text = verdict.reason.value if verdict else _("%d segments") % cost
            self.stdout.write(f"{row.order or '-'}  {row.kind}  {row.masked_recipient}  {row.status}  {text}")
        # An estimate: with every provider that we know a segment costs one point.
        sums = {"rows": len(rows), "segments": total}
        self.stdout.write(
            _("%(rows)d messages listed. Sending them takes %(segments)d segments, about %(segments)d points.") % sums
        )


def select_rows(
    *, since: datetime | None, kind: str, order: str, limit: int | None, **options: Any
) -> NotificationQuerySet:
    """Returns the rows that the options select, the oldest first.

    Raises CommandError if no status is chosen or the order does not exist.
    """
    rows = NotificationHistory.objects.filter(status_filter(**options)).not_resent()
    if since:
        rows = rows.filter(created_at__gte=since)
    if kind:
        rows = rows.filter(kind=kind)
    if order:
        rows = rows.filter(order=find_order(order))
    return rows.oldest_first()[:limit]


def status_filter(*, failed: bool, unknown: bool, stuck: bool, **others: Any) -> Q:
    if not (failed or unknown or stuck):
        raise CommandError(_("Please give --failed, --unknown, --stuck, or several of them."), returncode=WRONG_USE)
    found = Q(status__in=[*[MessageStatus.FAILED] * failed, *[MessageStatus.UNKNOWN] * unknown])
    return found | Q(pk__in=NotificationHistory.objects.due_or_interrupted().values("pk")) if stuck else found


def find_order(text: str) -> Order:
    found = Q(order_number=numbers.normalise_order_number(text))
    if is_id(text):
        found |= Q(pk=int(text))
    order = Order.objects.filter(found).order_by("-order_number").first()
    if order is None:
        raise CommandError(_("There is no order %s. Please check the number.") % text[:40], returncode=WRONG_USE)
    return order
