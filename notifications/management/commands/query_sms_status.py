"""`manage.py query_sms_status`: asks providers for the status of messages without a final one."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone
from django.utils.translation import gettext as _
from tqdm import tqdm

from notifications import receipts
from notifications.gateways.base import Gateway, GatewayError
from notifications.management import batch
from notifications.management.batch import moment, positive
from notifications.models import NotificationHistory
from notifications.states import MessageStatus

# By then providers have forgotten the message, and no telephone gets it any more.
USUALLY_SINCE = timedelta(days=7)


class Command(BaseCommand):
    """Exit code 0: all providers answered. 1: one did not. 2: wrong use."""

    help = _(
        "Queries overdue receipts and the balance from the providers. Retries SMS without a response if "
        "the provider accepts an idempotency key."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add(
            "--since",
            type=moment,
            help=_("only messages created since then: 2026-11-23, 2026-11-23T08:00, or 30m, 2h, 7d ago (default 7d)"),
        )
        add("--limit", type=positive, help=_("at most this many per provider, oldest first"))
        add("--dry-run", action="store_true", help=_("show what would be queried, without querying"))

    def handle(self, *args: Any, since: datetime | None, limit: int | None, dry_run: bool, **options: Any) -> None:
        since = since or timezone.now() - USUALLY_SINCE
        well = True
        for gateway in receipts.queryable_gateways():
            rows = list(receipts.overdue_messages(gateway, since)[:limit])
            if dry_run:
                self.list_rows(gateway.name, rows)
                continue
            # An error in one does not prevent the other.
            for question in (partial(self.ask_status, rows), self.ask_balance):
                well &= self.is_answered(gateway, question)
        rows = list(islice(receipts.retryable_unknown(since), limit))
        if dry_run:
            self.list_rows("unanswered", rows)
        else:
            well &= self.repeat(rows)
        unknown = NotificationHistory.objects.filter(status=MessageStatus.UNKNOWN, created_at__gte=since).not_resent()
        if count := unknown.count():
            said = _(
                "%d messages remain unknown. “resend_sms --unknown” sends them again, and some may then arrive twice."
            )
            self.stdout.write(said % count)
        if not well:
            sys.exit(1)

    def list_rows(self, of: str, rows: list[NotificationHistory]) -> None:
        for row in rows:
            self.stdout.write(f"{of}  {row.order or '-'}  {row.kind}  {row.masked_recipient}  {row.status}")

    def is_answered(self, gateway: Gateway, ask: Callable[[Gateway], None]) -> bool:
        try:
            ask(gateway)
        except GatewayError as error:
            said = gateway.clean(str(error), "")
            self.stderr.write(_("%(gateway)s did not respond: %(error)s") % {"gateway": gateway.name, "error": said})
            return False
        return True

    def ask_status(self, rows: list[NotificationHistory], gateway: Gateway) -> None:
        found: Counter[str] = Counter()
        try:
            bar = tqdm(
                receipts.query_provider(gateway, rows), total=len(rows), unit="SMS", file=sys.stderr, disable=None
            )
            for row, is_new in bar:
                found[row.status if is_new else "unchanged"] += 1
        finally:
            told = ", ".join(f"{word} {count}" for word, count in sorted(found.items())) or _("nothing to query")
            self.stdout.write(f"{gateway.name}: {told}")

    def ask_balance(self, gateway: Gateway) -> None:
        said = {"gateway": gateway.name, "points": receipts.query_balance(gateway)}
        self.stdout.write(_("%(gateway)s: %(points)s points left") % said)

    def repeat(self, rows: list[NotificationHistory]) -> bool:
        """Retries messages with their own idempotency keys. False: some failed or are still unknown."""
        taken = (row for row in rows if row.move(MessageStatus.UNKNOWN, MessageStatus.PENDING))
        outcomes = batch.counted(batch.send_all(taken), len(rows))
        if outcomes:
            self.stdout.write(_("unanswered, retried: %s") % batch.summary(outcomes))
        return batch.all_well(outcomes)
