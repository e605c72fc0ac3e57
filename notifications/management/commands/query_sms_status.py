"""`manage.py query_sms_status`: queries providers for overdue receipts and the balance, and retries unanswered SMS."""

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
from notifications.management.batch import parse_count, parse_time
from notifications.models import NotificationHistory
from notifications.states import MessageStatus

# Older messages are skipped by default: providers have forgotten them, and they reach no telephone any more.
DEFAULT_AGE = timedelta(days=7)


class Command(BaseCommand):
    """Exit code 0: all providers answered, and no retry failed or is still unknown. 1: otherwise. 2: wrong use."""

    help = _(
        "Queries overdue receipts and the balance from the providers. Retries messages without a response if "
        "the provider accepts an idempotency key."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        add = parser.add_argument
        add(
            "--since",
            type=parse_time,
            help=_(
                "only messages created since this time, or within this age: 2026-11-23, 2026-11-23T08:00, 30m, 2h "
                "or 7d (default 7d)"
            ),
        )
        add("--limit", type=parse_count, help=_("at most this many per provider, oldest first"))
        add("--dry-run", action="store_true", help=_("show what would be queried and retried, and do neither"))

    def handle(self, *args: Any, since: datetime | None, limit: int | None, dry_run: bool, **options: Any) -> None:
        since = since or timezone.now() - DEFAULT_AGE
        is_ok = True
        for gateway in receipts.queryable_gateways():
            rows = list(receipts.overdue_messages(gateway, since)[:limit])
            if dry_run:
                self.list_rows(gateway.name, rows)
                continue
            # If one query fails, the other still runs.
            for query in (partial(self.query_status, rows), self.query_balance):
                is_ok &= self.try_query(gateway, query)
        rows = list(islice(receipts.retryable_unknown(since), limit))
        if dry_run:
            self.list_rows("unanswered", rows)
        else:
            is_ok &= self.retry(rows)
        unknown = NotificationHistory.objects.filter(status=MessageStatus.UNKNOWN, created_at__gte=since).not_resent()
        if count := unknown.count():
            text = _(
                "Messages that remain unknown: %d. “resend_sms --unknown” sends them again, and some may then "
                "arrive twice."
            )
            self.stdout.write(text % count)
        if not is_ok:
            sys.exit(1)

    def list_rows(self, group: str, rows: list[NotificationHistory]) -> None:
        for row in rows:
            self.stdout.write(f"{group}  {row.order or '-'}  {row.kind}  {row.masked_recipient}  {row.status}")

    def try_query(self, gateway: Gateway, query: Callable[[Gateway], None]) -> bool:
        try:
            query(gateway)
        except GatewayError as error:
            text = gateway.clean(str(error), "")
            self.stderr.write(_("%(gateway)s did not respond: %(error)s") % {"gateway": gateway.name, "error": text})
            return False
        return True

    def query_status(self, rows: list[NotificationHistory], gateway: Gateway) -> None:
        found: Counter[str] = Counter()
        try:
            bar = tqdm(
                receipts.query_provider(gateway, rows), total=len(rows), unit="SMS", file=sys.stderr, disable=None
            )
            for row, is_new in bar:
                found[row.status if is_new else "unchanged"] += 1
        finally:
            text = ", ".join(f"{name} {count}" for name, count in sorted(found.items())) or _("nothing to query")
            self.stdout.write(f"{gateway.name}: {text}")

    def query_balance(self, gateway: Gateway) -> None:
        values = {"gateway": gateway.name, "points": receipts.query_balance(gateway)}
        self.stdout.write(_("%(gateway)s: %(points)s points left") % values)

    def retry(self, rows: list[NotificationHistory]) -> bool:
        """Retries `unknown` messages with the same ids. False: some failed or are still unknown."""
        pending = (row for row in rows if row.move(MessageStatus.UNKNOWN, MessageStatus.PENDING))
        outcomes = batch.count_outcomes(batch.send_all(pending), len(rows))
        if outcomes:
            self.stdout.write(_("unanswered, retried: %s") % batch.summary(outcomes))
        return batch.is_success(outcomes)
