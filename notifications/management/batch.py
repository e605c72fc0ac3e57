"""What the commands share: strict parsing of arguments, and sending of many messages."""

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
from notifications.states import MessageStatus, Reason
from web.refusals import Refusal
from web.text import normalize_typed

# Maximum messages that wait for the senders: enough to keep them busy, few enough to hold in memory.
MAX_IN_FLIGHT = 100
# Outcomes that every summary lists, even if they have no message.
ALWAYS_LISTED = (MessageStatus.SENT.value, MessageStatus.FAILED.value, MessageStatus.UNKNOWN.value)
# Outcomes. LEFT: another process was faster, or the message must wait. BROKEN: our own error, which is in the log.
LEFT, BROKEN = "left", "broken"
Outcome = tuple[NotificationHistory, str]
Sending = Future[NotificationHistory | None]
UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def send_all(rows: Iterable[NotificationHistory], stopped: Callable[[], bool] = lambda: False) -> Iterator[Outcome]:
    """Sends rows. Yields each with its outcome: a status, LEFT, BROKEN or the code of a refusal.

    Once `stopped()` is true, finishes only the sendings that have started, and does not yield the other rows.
    """
    under_way: dict[Sending, NotificationHistory] = {}
    # `concurrent.futures.wait` would scan all futures each time one finishes, which took a quarter of the whole time.
    finished: SimpleQueue[Sending] = SimpleQueue()
    for row in rows:
        if stopped():
            break
        try:
            sending = sender.submit(queue.prepare(row).pk)
        except Refusal as refusal:
            yield row, MessageStatus.UNKNOWN if refusal.code == Reason.INTERRUPTED else refusal.code
            continue
        under_way[sending] = row
        sending.add_done_callback(finished.put)
        if len(under_way) >= MAX_IN_FLIGHT:
            done = finished.get()
            yield under_way.pop(done), outcome(done)
    while under_way:
        if stopped():
            cancel_waiting(under_way)
        # Cancelled futures appear here as well.
        if (done := finished.get()) in under_way:
            yield under_way.pop(done), outcome(done)


def cancel_waiting(under_way: dict[Sending, NotificationHistory]) -> None:
    """Cancels the messages that no sender has started, so that the process stops quickly."""
    for sending in [sending for sending in under_way if sending.cancel()]:
        del under_way[sending]


def outcome(sending: Sending) -> str:
    if sending.exception() is not None:
        return BROKEN
    sent = sending.result()
    return sent.status if sent else LEFT


def count_outcomes(outcomes: Iterable[Outcome], total: int) -> Counter[str]:
    """Counts the outcomes, with a progress bar on a terminal."""
    return Counter(name for _, name in tqdm(outcomes, total=total, unit="SMS", file=sys.stderr, disable=None))


def summary(outcomes: Counter[str]) -> str:
    others = sorted(set(outcomes) - set(ALWAYS_LISTED))
    return ", ".join(f"{name} {outcomes[name]}" for name in (*ALWAYS_LISTED, *others))


def is_success(outcomes: Counter[str]) -> bool:
    return not any(outcomes[name] for name in (MessageStatus.FAILED, MessageStatus.UNKNOWN, BROKEN))


def parse_time(text: str) -> datetime:
    """Parses ISO 8601 (in Taipei's time unless it names a zone) or an age: `30m`, `2h`, `7d`."""
    text = normalize_typed(text)
    try:
        if ago := re.fullmatch(r"(\d{1,4})([mhd])", text):
            return timezone.now() - timedelta(**{UNITS[ago[2]]: int(ago[1])})
        found: datetime | date | None = parse_date(text) or parse_datetime(text)
    except ValueError:
        found = None
    if found is None or found.year < 2000:
        raise ArgumentTypeError(
            _("“%s” cannot be used. Write a time or an age, such as 2026-11-23T08:00 or 2h.") % text[:40]
        )
    if not isinstance(found, datetime):
        found = datetime.combine(found, time.min)
    return found if timezone.is_aware(found) else timezone.make_aware(found)


def parse_count(text: str) -> int:
    text = normalize_typed(text)
    if not re.fullmatch("[0-9]{1,9}", text) or int(text) < 1:
        raise ArgumentTypeError(_("“%s” is not a whole number from 1 to 999999999.") % text[:40])
    return int(text)
