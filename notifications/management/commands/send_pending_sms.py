"""`manage.py send_pending_sms`: sends what is owed and nobody sends; with `--loop` for as long as it runs."""

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
from notifications.management.batch import positive
from notifications.models import NotificationHistory
from notifications.states import Status
from web import flags, system_metrics
from web.database import is_away

log = logging.getLogger(__name__)
# Two queries each time. What waits for the morning, or for a process that died, is not in more of a hurry.
POLL_SECONDS = 2.0
# The process that made a row is about to send it. To race it would be harmless, and a query more.
GRACE = timedelta(seconds=5)
# What can be sent neither now nor by itself (the channel is stopped, a fault of ours) is not tried at each poll.
LEFT_ALONE_SECONDS = 60
# Then it looks again: what happened meanwhile may be more urgent than what is left.
MOST_A_ROUND = 200
# Of the service: nobody waits for its answer, and servers on the same machine have somebody who does.
NICENESS = 10


class Command(BaseCommand):
    """Exit code 1: a message failed or is unknown. What a stopped channel or the night holds up is no failure."""

    help = _("Sends waiting SMS and settles interrupted ones. Parallel runs never send one message twice.")

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--loop", action="store_true", help=_("run until SIGTERM or Ctrl-C, as a service"))
        parser.add_argument("--limit", type=positive, help=_("at most this many, oldest first; with --loop, per round"))

    def handle(self, *args: Any, loop: bool, limit: int | None, **options: Any) -> None:
        with stopping() as stop:
            if loop:
                make_way()
                Service(stop, limit or MOST_A_ROUND).run()
                return
            rows = NotificationHistory.objects.owed().oldest_first()[:limit]
            outcomes = batch.counted(batch.send_all(rows, stop.is_set), len(rows))
        self.stdout.write(batch.summary(outcomes))
        if not batch.all_well(outcomes):
            sys.exit(1)


class Service:
    """Round after round, until `stop`; what is under way then is finished."""

    def __init__(self, stop: threading.Event, limit: int) -> None:
        self.stop, self.limit = stop, limit
        # Until when each of these rows is left alone (time.monotonic); what is stopped, while it lasts, is why.
        self.left: dict[UUID, float] = {}
        self.stopped: set[str] = set()

    def run(self) -> None:
        while not self.stop.is_set():
            try:
                full = self.round() >= self.limit
                write_figures()
            except Error as error:
                if not is_away(error):
                    raise
                log.warning("The database does not answer (%s); what is owed waits.", type(error).__name__)
                connections.close_all()
                full = False
            self.stop.wait(0 if full else POLL_SECONDS)

    def round(self) -> int:
        """Sends what is owed now; how many rows that were."""
        close_old_connections()
        if not flags.on(flags.SMS):
            return 0
        now, stopped = time.monotonic(), gateways.stopped(gateways.in_use())
        if self.stopped - stopped:
            self.left = {}
        self.stopped = stopped
        self.left = {pk: until for pk, until in self.left.items() if until > now}
        ready = Q(created_at__lt=timezone.now() - GRACE) | Q(send_after__isnull=False)
        found = NotificationHistory.objects.owed().filter(ready).exclude(pk__in=self.left)
        rows = list(found.oldest_first()[: self.limit])
        outcomes: Counter[str] = Counter()
        for row, word in batch.send_all(rows, self.stop.is_set):
            outcomes[word] += 1
            if word not in Status.values:
                self.left[row.pk] = now + LEFT_ALONE_SECONDS
        if outcomes:
            log.info("SMS: %s", batch.summary(outcomes))
        return len(rows)


def write_figures() -> None:
    """No SMS waits because they cannot be written: the disk is full, somebody holds the row."""
    try:
        system_metrics.write()
    except Exception:
        log.exception("The figures were not written; the next round tries again.")


def make_way() -> None:
    """Where the unit has seen to it, systemd lets no process ask for it again."""
    if (more := NICENESS - os.getpriority(os.PRIO_PROCESS, 0)) > 0:
        os.nice(more)


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """An event that SIGTERM and Ctrl-C set, instead of ending the process at once."""
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
