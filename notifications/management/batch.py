"""What the commands share: their arguments, read strictly, and sending many messages, told as it becomes known."""

from __future__ import annotations

import re
import sys
from argparse import ArgumentTypeError
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from datetime import date, datetime, time, timedelta
from queue import SimpleQueue

from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext as _
from tqdm import tqdm

from notifications import queue, sender
from notifications.models import NotificationHistory
from notifications.states import Reason, Status
from web.refusals import Refusal
from web.text import plain

# Enough rows to keep the senders busy, few enough to hold in memory.
MOST_UNDER_WAY = 100
ALWAYS_SAID = (Status.SENT.value, Status.FAILED.value, Status.UNKNOWN.value)
# Another process was faster, or it must wait; a fault of ours (of the database, say), which is in the log.
LEFT, BROKEN = "left", "broken"
Outcome = tuple[NotificationHistory, str]
Sending = Future[NotificationHistory | None]
UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def send_all(rows: Iterable[NotificationHistory], stopped: Callable[[], bool] = lambda: False) -> Iterator[Outcome]:
    """Each row with what became of it: a status, or why it was not sent. Once `stopped`, only what is begun."""
    under_way: dict[Sending, NotificationHistory] = {}
    # `concurrent.futures.wait` looks at all of them each time one is finished: a quarter of the whole work.
    finished: SimpleQueue[Sending] = SimpleQueue()
    for row in rows:
        if stopped():
            break
        try:
            sending = sender.submit(queue.prepare(row).pk)
        except Refusal as refusal:
            yield row, Status.UNKNOWN if refusal.code == Reason.INTERRUPTED else refusal.code
            continue
        under_way[sending] = row
        sending.add_done_callback(finished.put)
        if len(under_way) >= MOST_UNDER_WAY:
            done = finished.get()
            yield under_way.pop(done), outcome(done)
    while under_way:
        if stopped():
            let_go(under_way)
        # What was let go comes out as well.
        if (done := finished.get()) in under_way:
            yield under_way.pop(done), outcome(done)


def let_go(under_way: dict[Sending, NotificationHistory]) -> None:
    """Takes back what no sender has begun: nobody waits long for a process that is told to stop."""
    for sending in [sending for sending in under_way if sending.cancel()]:
        del under_way[sending]


def outcome(sending: Sending) -> str:
    if sending.exception() is not None:
        return BROKEN
    sent = sending.result()
    return sent.status if sent else LEFT


def counted(outcomes: Iterable[Outcome], total: int) -> Counter[str]:
    """How many of each, with a bar for who watches."""
    return Counter(word for _, word in tqdm(outcomes, total=total, unit="SMS", file=sys.stderr, disable=None))


def summary(outcomes: Counter[str]) -> str:
    others = sorted(set(outcomes) - set(ALWAYS_SAID))
    return ", ".join(f"{word} {outcomes[word]}" for word in (*ALWAYS_SAID, *others))


def all_well(outcomes: Counter[str]) -> bool:
    return not any(outcomes[word] for word in (Status.FAILED, Status.UNKNOWN, BROKEN))


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
        raise ArgumentTypeError(_("“%s” is not a time. Write 2026-11-23T08:00 or 2h.") % text[:40])
    if not isinstance(found, datetime):
        found = datetime.combine(found, time.min)
    return found if timezone.is_aware(found) else timezone.make_aware(found)


def positive(text: str) -> int:
    text = plain(text)
    if not re.fullmatch("[0-9]{1,9}", text) or int(text) < 1:
        raise ArgumentTypeError(_("“%s” is not a number of messages.") % text[:40])
    return int(text)
