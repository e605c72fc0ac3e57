"""The log: what is committed, numbered without gaps, so that one integer is a safe cursor.

An auto-increment id is none: on PostgreSQL 6 can become visible before 5. So rows wait in the outbox until they are
committed, and `number()` moves them into the log under one lock.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Exists, Func, Min, QuerySet, TextField
from django.utils import timezone

from realtime import epochs, metrics
from realtime.events import drafts
from realtime.models import Event, LogHead, Outbox, new_epoch
from web.log_position import Position
from web.timings import measured

logger = logging.getLogger(__name__)

# Outbox rows numbered in one transaction: large enough for a burst, short enough not to be waited for.
BATCH = 1000
HEAD = 1
# Read with a row, it has PostgreSQL end the transaction of a process that is frozen for so long while it holds the log:
# then another one takes over. Screens are silent until then.
PATIENCE = Func(template="set_config('idle_in_transaction_session_timeout', '2s', true)", output_field=TextField())
# For so long nothing happens at a weekend. A longer pause between two events looks like a clock that was set.
LONGEST_PAUSE = timedelta(days=2)


class CursorGone(Exception):
    """The cursor is older than what is kept, ahead of the log, or of another epoch: the reader must load afresh."""


@dataclass(frozen=True, slots=True)
class Numbered:
    """The events that were made, and the end of the log before them, with their epoch; the stamp of its new end.

    `busy`: another process holds the lock and numbers for all. `full`: more may wait.
    """

    head: LogHead
    events: list[Event] = field(default_factory=list)
    busy: bool = False
    full: bool = False
    stamp: str = ""


def head() -> LogHead:
    """The end of the log as committed now."""
    return LogHead.objects.get_or_create(pk=HEAD)[0]


def glance() -> tuple[LogHead, bool]:
    """The end of the log, and whether something waits to be numbered: all that a hub at rest asks, in one query."""
    end = LogHead.objects.annotate(waiting=Exists(Outbox.objects.all())).filter(pk=HEAD).first()
    if end is None:
        return head(), True
    epochs.remember(end.epoch, end.seq, end.stamp)
    return end, end.waiting


def position() -> Position:
    """Where the log ends."""
    end, _waiting = glance()
    return Position(end.seq, end.epoch)


def oldest_waiting() -> datetime | None:
    """When the oldest change was made that is committed and has no number; None where none waits."""
    oldest: datetime | None = Outbox.objects.aggregate(oldest=Min("created_at"))["oldest"]
    return oldest


def number() -> int:
    """Moves what is committed from the outbox to the log, in the order of the outbox; how many events that made.

    All that waits, unless another process is at it.
    """
    total, busy = 0, False
    while not busy and Outbox.objects.exists():
        done = number_batch()
        total, busy = total + (len(done.events) if done else 0), done is None
    return total


def number_waiting(*, rung: bool) -> Numbered:
    """One batch. `rung`: something waits; otherwise that is asked first, which is all that a hub at rest asks."""
    if rung and (numbered := number_batch()):
        return numbered
    end, waiting = glance()
    numbered = number_batch() if waiting else Numbered(end)
    return numbered or Numbered(end, busy=True)


@measured("number")
def number_batch() -> Numbered | None:
    """Numbers up to BATCH rows of the outbox; None where another process is at it."""
    with transaction.atomic():
        done = _number_batch(epochs.seen())
    if done is not None and done.events:
        metrics.NUMBERED.inc(len(done.events))
        epochs.remember(done.head.epoch, done.events[-1].seq, done.stamp)
    return done


def _number_batch(seen: epochs.Seen) -> Numbered | None:
    # The head row, not the rows: skipping locked rows would let a second numberer take the rest out of order.
    log = _locked(skip_locked=connection.features.has_select_for_update_skip_locked).first()
    if log is None:
        log, created = LogHead.objects.get_or_create(pk=HEAD)
        return Numbered(log) if created else None
    rows = list(Outbox.objects.order_by("id")[:BATCH])
    if not rows:
        return Numbered(log)
    epochs.check(log, seen)
    made = [(row, draft) for row, found in zip(rows, drafts(rows), strict=True) for draft in found]
    events = [
        Event(
            seq=log.seq + place, type=draft.type, channels=draft.channels, data=draft.data, created_at=row.created_at,
            request_id=row.request_id,
        )
        for place, (row, draft) in enumerate(made, start=1)
    ]  # fmt: skip
    Event.objects.bulk_create(events)
    Outbox.objects.filter(pk__in=[row.pk for row in rows]).delete()
    stamp = new_epoch() if events else log.stamp
    _save(log, seq=log.seq + len(events), stamp=stamp)
    return Numbered(log, events, full=len(rows) == BATCH, stamp=stamp)


def _locked(*, skip_locked: bool = False) -> QuerySet[LogHead]:
    """The head, with the lock under which it is numbered; who holds it and freezes loses it."""
    locked = LogHead.objects.select_for_update(skip_locked=skip_locked).filter(pk=HEAD)
    if connection.vendor == "postgresql":
        locked = locked.annotate(here=epochs.here())  # type: ignore[no-redef]  # it is meant for this
        if not connection.savepoint_ids:  # within another transaction it would hold until the end of that one
            locked = locked.annotate(patience=PATIENCE)
    return locked


def _save(log: LogHead, **columns: Any) -> None:
    LogHead.objects.filter(pk=HEAD).update(epoch=log.epoch, past=log.past, origin=log.origin, **columns)


def holds(since: int, epoch: str | None, *, floor: int, seq: int, log_epoch: str, past: epochs.Past = ()) -> bool:
    """Whether everything after `since` is still in a log that reaches from `floor` to `seq`."""
    end = seq if epoch in (None, "", log_epoch) else min(seq, dict(past).get(epoch, -1))
    return floor <= since <= end


@transaction.atomic
def begin_epoch(head: LogHead, *, keeps_past: bool = True) -> None:
    """Makes the cursors of before invalid: the log lacks what was read of it, so another database is in its place.

    Cursors up to the end of an older database stay good where nothing was numbered in it yet, unless `keeps_past` is
    false. Does nothing where another process began a new epoch since `head` was read.
    """
    log = _locked().get(pk=HEAD)
    if log.epoch == head.epoch:
        epochs.begin(log, keeps_past=keeps_past and epochs.has_moved(log, epochs.Seen()))
        _save(log)


def read(since: int, limit: int) -> list[Event]:
    """The events after `since`, at most `limit`, in order."""
    return list(Event.objects.filter(seq__gt=since).order_by("seq")[:limit])


def move_floor(age: timedelta) -> int:
    """Gives up the events that are older than `age`, and returns the new floor.

    The floor moves before anything is deleted: a cursor below it is told so, and never finds a gap.
    """
    floor = min(head().seq, _last_older_than(age))
    LogHead.objects.filter(pk=HEAD, floor__lt=floor).update(floor=floor)
    return head().floor


def _last_older_than(age: timedelta) -> int:
    """The position of the last event that is older than `age`; 0 where none is.

    A pause that is too long to be believed counts as none: the clock may have jumped, and all would be old at once.
    """
    older, moment, longest = timedelta(), timezone.now(), max(age, LONGEST_PAUSE)
    for seq, created_at in Event.objects.order_by("-seq").values_list("seq", "created_at").iterator():
        pause = moment - created_at
        if timedelta() < pause <= longest:
            older += pause
        moment = min(moment, created_at)
        if older > age:
            return seq
    return 0


def prune(floor: int) -> Iterator[int]:
    """Deletes the events up to the floor, a short transaction a batch; how many, as they go."""
    while batch := list(Event.objects.filter(seq__lte=floor).order_by("seq").values_list("seq", flat=True)[:BATCH]):
        yield Event.objects.filter(seq__lte=batch[-1]).delete()[0]
