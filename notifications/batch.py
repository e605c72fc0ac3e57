"""Sending many: the senders are kept busy, and what became of each message is told as it becomes known."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from queue import SimpleQueue

from tqdm import tqdm

from notifications import resending, sender
from notifications.models import NotificationHistory
from notifications.states import Reason, Status
from web.refusals import Refusal

# Enough rows to keep the senders busy, few enough to hold in memory.
MOST_UNDER_WAY = 100
ALWAYS_SAID = (Status.SENT.value, Status.FAILED.value, Status.UNKNOWN.value)
# Another process was faster, or it must wait; a fault of ours (of the database, say), which is in the log.
LEFT, BROKEN = "left", "broken"
Outcome = tuple[NotificationHistory, str]
Sending = Future[NotificationHistory | None]


def send_all(rows: Iterable[NotificationHistory], stopped: Callable[[], bool] = lambda: False) -> Iterator[Outcome]:
    """Each row with what became of it: a status, or why it was not sent. Once `stopped`, only what is begun."""
    under_way: dict[Sending, NotificationHistory] = {}
    # `concurrent.futures.wait` looks at all of them each time one is finished: a quarter of the whole work.
    finished: SimpleQueue[Sending] = SimpleQueue()
    for row in rows:
        if stopped():
            break
        try:
            sending = sender.submit(resending.prepare(row).pk)
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
