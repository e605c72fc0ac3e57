"""`manage.py send_pending_sms`: sends pending messages that no other process sends; `--loop` makes it a service."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandParser
from django.db import Error, close_old_connections, connections
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from notifications import gateways
from notifications.management import batch
from notifications.management.batch import parse_count
from notifications.models import NotificationHistory
from notifications.states import MessageStatus
from web import flags, system_metrics
from web.database import is_unavailable

log = logging.getLogger(__name__)
# Pause between polls, which take two queries each. Messages that waited for the morning, or that a dead process left,
# can wait this long.
POLL_SECONDS = 2.0
# Younger messages are left to the process that created them, which is about to send them. A race would be harmless, but
# costs a query.
GRACE = timedelta(seconds=5)
# Backoff for messages that cannot be sent now (the gateway is stopped, an error of ours).
SKIP_SECONDS = 60
# Maximum messages between two polls. A poll notices that SMS are turned off or a gateway is stopped.
MAX_PER_ROUND = 200
# The service gives way to servers on the same machine, because nobody waits for it.
NICENESS = 10


class Command(BaseCommand):
    """Exit code 1: a message failed or is unknown, or there was an error of ours.

    A message that waits for a gateway or the morning is no failure. With --loop outcomes do not change the exit code.
    """

    help = _("Sends waiting messages and settles interrupted ones. Parallel runs never send one message twice.")

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--loop", action="store_true", help=_("run until SIGTERM or Ctrl-C, as a service"))
        parser.add_argument(
            "--limit", type=parse_count, help=_("at most this many, oldest first; with --loop, per round")
        )

    def handle(self, *args: Any, loop: bool, limit: int | None, **options: Any) -> None:
        with stop_at_signal() as stop:
            if loop:
                lower_priority()
                Service(stop, limit or MAX_PER_ROUND).run()
                return
            rows = NotificationHistory.objects.due_or_interrupted().oldest_first()[:limit]
            outcomes = batch.count_outcomes(batch.send_all(rows, stop.is_set), len(rows))
        self.stdout.write(batch.summary(outcomes))
        if not batch.is_success(outcomes):
            sys.exit(1)


class Service:
    """Sends in rounds until `stop` is set. Then it finishes the sendings under way."""

    def __init__(self, stop: threading.Event, limit: int) -> None:
        self.stop, self.limit = stop, limit
        # Rows that are skipped, and until when (`time.monotonic`). The start of a stopped gateway ends the skipping.
        self.skipped: dict[UUID, float] = {}
        self.stopped: set[str] = set()

    def run(self) -> None:
        while not self.stop.is_set():
            try:
                full = self.round() >= self.limit
                write_metrics()
            except Error as error:
                if not is_unavailable(error):
                    raise
                log.warning("The database does not respond (%s); pending messages wait.", type(error).__name__)
                connections.close_all()
                full = False
            self.stop.wait(0 if full else POLL_SECONDS)

    def round(self) -> int:
        """Sends due and interrupted messages, at most `limit`, and returns their number; 0 while SMS are turned off."""
        close_old_connections()
        if not flags.is_on(flags.SMS):
            return 0
        now, stopped = time.monotonic(), gateways.stopped_names(gateways.names_in_use())
        if self.stopped - stopped:
            self.skipped = {}
        self.stopped = stopped
        self.skipped = {pk: until for pk, until in self.skipped.items() if until > now}
        ready = Q(created_at__lt=timezone.now() - GRACE) | Q(send_after__isnull=False)
        found = NotificationHistory.objects.due_or_interrupted().filter(ready).exclude(pk__in=self.skipped)
        rows = list(found.oldest_first()[: self.limit])
        outcomes: Counter[str] = Counter()
        for row, outcome in batch.send_all(rows, self.stop.is_set):
            outcomes[outcome] += 1
            if outcome not in MessageStatus.values:
                self.skipped[row.pk] = now + SKIP_SECONDS
        if outcomes:
            log.info("SMS: %s", batch.summary(outcomes))
        return len(rows)


def write_metrics() -> None:
    """Writes the metrics of all processes that share this one's directory, if a write is due.

    Logs every error (a full disk, a locked row), so that the sending goes on.
    """
    try:
        system_metrics.write()
    except Exception:
        log.exception("The metrics were not written; the next round tries again.")


def lower_priority() -> None:
    """Lowers the priority to NICENESS, unless the systemd unit already did so. Raising it again would need root."""
    if (more := NICENESS - os.getpriority(os.PRIO_PROCESS, 0)) > 0:
        os.nice(more)


@contextmanager
def stop_at_signal() -> Iterator[threading.Event]:
    """Yields an event that SIGTERM and Ctrl-C set, instead of ending the process at once."""
    stop = threading.Event()
    handlers = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
