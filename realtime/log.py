"""The event log. It assigns ids to committed changes without gaps, so that one integer is a safe cursor.

An auto-increment id is no safe cursor: on PostgreSQL, 6 can become visible before 5. So a change writes an outbox row,
and `assign_event_ids` moves committed rows into the log under one lock.
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
from realtime.events import build_drafts
from realtime.models import Event, LogHead, Outbox, new_epoch
from web.log_position import Position
from web.timings import measure

logger = logging.getLogger(__name__)

# Maximum number of outbox rows that get event ids in one transaction, so that it holds the lock only briefly.
BATCH = 1000
# The primary key of the one `LogHead` row.
HEAD_ID = 1
# Sets a timeout: PostgreSQL ends the transaction of a process that freezes for 2 s while it holds the lock. Until then
# no events are delivered; then another process takes over. It is selected with the row, so it costs no extra query.
FREEZE_TIMEOUT = Func(
    template="set_config('idle_in_transaction_session_timeout', '2s', true)", output_field=TextField()
)
# The longest time without events to expect, such as a weekend. A longer gap means that the server's clock was set.
MAX_PAUSE = timedelta(days=2)


class CursorGone(Exception):
    """Not all events after a cursor are in the hub's memory any more: the client must load a snapshot."""


@dataclass(frozen=True, slots=True)
class AssignedBatch:
    """The result of assigning event ids to one batch.

    `head` is the log head before `events`, but with their epoch; `stamp` is the stamp after them. `busy`: another
    process holds the lock and assigns the ids. `full`: the outbox may hold more rows.
    """

    head: LogHead
    events: list[Event] = field(default_factory=list)
    busy: bool = False
    full: bool = False
    stamp: str = ""


def head() -> LogHead:
    """The committed log head. Creates it if the log is new."""
    return LogHead.objects.get_or_create(pk=HEAD_ID)[0]


def peek() -> tuple[LogHead, bool]:
    """Returns the log head, and whether the outbox may hold rows. Remembers how far the log was read.

    An idle hub runs only this one query on the log.
    """
    end = LogHead.objects.annotate(waiting=Exists(Outbox.objects.all())).filter(pk=HEAD_ID).first()
    if end is None:
        return head(), True
    epochs.remember(end.epoch, end.seq, end.stamp)
    return end, end.waiting


def position() -> Position:
    """The end of the log, as a cursor."""
    end, _waiting = peek()
    return Position(end.seq, end.epoch)


def oldest_waiting_time() -> datetime | None:
    """The time of the oldest committed change in the outbox; None if the outbox is empty."""
    oldest: datetime | None = Outbox.objects.aggregate(oldest=Min("created_at"))["oldest"]
    return oldest


def assign_event_ids() -> int:
    """Moves all committed outbox rows to the log, in outbox order. Returns the number of events.

    Stops when another process holds the lock.
    """
    total, busy = 0, False
    while not busy and Outbox.objects.exists():
        done = assign_batch()
        total, busy = total + (len(done.events) if done else 0), done is None
    return total


def assign_next_batch(*, by_bell: bool) -> AssignedBatch:
    """Assigns event ids to one batch. Unless a bell came (`by_bell`), first checks whether the outbox holds rows."""
    if by_bell and (assigned := assign_batch()):
        return assigned
    end, waiting = peek()
    assigned = assign_batch() if waiting else AssignedBatch(end)
    return assigned or AssignedBatch(end, busy=True)


@measure("number")
def assign_batch() -> AssignedBatch | None:
    """Assigns event ids to up to BATCH outbox rows. Returns None when another process holds the lock."""
    with transaction.atomic():
        done = _assign_batch(epochs.last_read())
    if done is not None and done.events:
        metrics.NUMBERED.inc(len(done.events))
        epochs.remember(done.head.epoch, done.events[-1].seq, done.stamp)
    return done


def _assign_batch(seen: epochs.ReadPosition) -> AssignedBatch | None:
    # Lock the head row, not the outbox rows: otherwise a second process could assign ids to the rest out of order.
    log = _locked_head(skip_locked=connection.features.has_select_for_update_skip_locked).first()
    if log is None:
        log, created = LogHead.objects.get_or_create(pk=HEAD_ID)
        return AssignedBatch(log) if created else None
    rows = list(Outbox.objects.order_by("id")[:BATCH])
    if not rows:
        return AssignedBatch(log)
    epochs.begin_if_replaced(log, seen)
    drafts = [(row, draft) for row, found in zip(rows, build_drafts(rows), strict=True) for draft in found]
    events = [
        Event(
            seq=log.seq + place, type=draft.type, channels=draft.channels, data=draft.data, created_at=row.created_at,
            request_id=row.request_id,
        )
        for place, (row, draft) in enumerate(drafts, start=1)
    ]  # fmt: skip
    Event.objects.bulk_create(events)
    Outbox.objects.filter(pk__in=[row.pk for row in rows]).delete()
    stamp = new_epoch() if events else log.stamp
    _save_head(log, seq=log.seq + len(events), stamp=stamp)
    return AssignedBatch(log, events, full=len(rows) == BATCH, stamp=stamp)


def _locked_head(*, skip_locked: bool = False) -> QuerySet[LogHead]:
    """A query that locks the log head. On PostgreSQL a frozen process loses the lock after 2 s (FREEZE_TIMEOUT)."""
    locked = LogHead.objects.select_for_update(skip_locked=skip_locked).filter(pk=HEAD_ID)
    if connection.vendor == "postgresql":
        locked = locked.annotate(database=epochs.database_identity())  # type: ignore[no-redef]  # `LogHead.database` is declared for this
        if not connection.savepoint_ids:  # in an outer transaction, the timeout would apply until that one ends
            locked = locked.annotate(patience=FREEZE_TIMEOUT)
    return locked


def _save_head(log: LogHead, **columns: Any) -> None:
    LogHead.objects.filter(pk=HEAD_ID).update(epoch=log.epoch, past=log.past, origin=log.origin, **columns)


def covers(since: int, epoch: str | None, *, floor: int, seq: int, log_epoch: str, past: epochs.Past = ()) -> bool:
    """Whether a log from `floor` to `seq` still holds every event after `since`, which is a cursor of `epoch`.

    An `epoch` of None or "" is taken for the current one, `log_epoch`.
    """
    end = seq if epoch in (None, "", log_epoch) else min(seq, dict(past).get(epoch, -1))
    return floor <= since <= end


@transaction.atomic
def begin_epoch(head: LogHead, *, keeps_past: bool = True) -> None:
    """Begins a new epoch, because the log lacks (or may lack) events that were read from it: the database was replaced.

    Old cursors become invalid. But cursors up to the end of the log stay valid if `keeps_past` is true and the new
    database has not assigned any event id yet. Does nothing if another process began an epoch since `head` was read.
    """
    log = _locked_head().get(pk=HEAD_ID)
    if log.epoch == head.epoch:
        epochs.begin(log, keeps_past=keeps_past and epochs.has_moved(log, epochs.ReadPosition()))
        _save_head(log)


def read(since: int, limit: int) -> list[Event]:
    """Returns at most `limit` events after `since`, in order."""
    return list(Event.objects.filter(seq__gt=since).order_by("seq")[:limit])


def move_floor(age: timedelta) -> int:
    """Moves the floor past the events older than `age` and returns the floor. `prune` then deletes these events.

    The floor moves first, so that an old cursor is refused before its events are deleted.
    """
    floor = min(head().seq, _last_older_than(age))
    LogHead.objects.filter(pk=HEAD_ID, floor__lt=floor).update(floor=floor)
    return head().floor


def _last_older_than(age: timedelta) -> int:
    """The position of the last event older than `age`; 0 if there is none.

    A gap that is longer than both MAX_PAUSE and `age` does not count. Otherwise a clock that jumped ahead would
    make every event old at once.
    """
    older, moment, longest = timedelta(), timezone.now(), max(age, MAX_PAUSE)
    for seq, created_at in Event.objects.order_by("-seq").values_list("seq", "created_at").iterator():
        pause = moment - created_at
        if timedelta() < pause <= longest:
            older += pause
        moment = min(moment, created_at)
        if older > age:
            return seq
    return 0


def prune(floor: int) -> Iterator[int]:
    """Deletes the events up to the floor, in one short transaction per batch. Yields each batch's number of events."""
    while batch := list(Event.objects.filter(seq__lte=floor).order_by("seq").values_list("seq", flat=True)[:BATCH]):
        yield Event.objects.filter(seq__lte=batch[-1]).delete()[0]
