"""Sends what is owed, on threads of its own: a provider that hangs must hold up no screen and no other request.

A row is claimed by a conditional UPDATE, sent without any lock or transaction, and gets its outcome by another one.
A process that dies in between leaves `pending` or `sending`, which is the truth; `send_pending_sms` finds it.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from datetime import timedelta
from functools import cache
from traceback import format_tb
from typing import Any, TypeVar
from uuid import UUID

from django.conf import settings
from django.db import Error, connections
from django.utils import timezone
from structlog.contextvars import bound_contextvars

from notifications import carrier_rules, gateways, sending_rules, statistics
from notifications.gateways import get_gateway
from notifications.gateways.base import STOPPING, WAITING, Gateway, GatewayError, Message
from notifications.models import NotificationHistory
from notifications.states import MOVES, Reason, Status, Type
from web import request_id
from web.database import is_away
from web.slow_work import ThreadPool
from web.timings import measured

log = logging.getLogger(__name__)
Row = NotificationHistory
# Seconds between tries to write an outcome: together longer than a restart of the database takes.
RESTART_PAUSES = (0.5, 1, 2, 4, 8)
# Sending a thousand takes a server's processor for ten seconds, and whoever asks it for something meanwhile waits.
MOST_AT_ONCE = 50
# After which a provider that is busy, or cannot be reached, is asked again.
BUSY_PAUSE = timedelta(minutes=1)
# One that answers what nobody understands is asked each time half as often, as it may do so for a whole day.
LONGEST_PAUSE = timedelta(minutes=10)
_one_maker = threading.Lock()
_may_wait: ContextVar[bool] = ContextVar("sms_may_wait", default=True)
_collected: ContextVar[Any] = ContextVar("sms_collected", default=None)
T = TypeVar("T")


@contextmanager
def _within(variable: ContextVar[T], value: T) -> Iterator[T]:
    token = variable.set(value)
    try:
        yield value
    finally:
        variable.reset(token)


def no_waiting() -> AbstractContextManager[object]:
    """Within it nobody waits for an outcome: for commands on sockets, which share one thread."""
    return _within(_may_wait, False)


def collecting() -> AbstractContextManager[list[Row]]:
    """Gives the rows whose outcome came while the caller waited, within it."""
    return _within(_collected, list[Row]())


def deliver(*ids: UUID) -> None:
    """Sends these rows; returns when they have their outcome, at the latest after SMS_WAIT_SECONDS.

    More than MOST_AT_ONCE are left to `send_pending_sms --loop`, a process that answers nobody.
    """
    futures = [submit(row_id) for row_id in ids[:MOST_AT_ONCE]]
    if not _may_wait.get():
        return
    done = wait(futures, settings.SMS_WAIT_SECONDS).done
    collected = _collected.get()
    if collected is not None:
        outcomes = (future.result() for future in done if future.exception() is None)
        collected.extend(row for row in outcomes if row is not None)
        if following := ids[MOST_AT_ONCE:]:
            collected.extend(Row.objects.filter(pk__in=following).only("kind", "status", "status_reason"))


def submit(row_id: UUID) -> Future[Row | None]:
    """Gives one row to the senders; the future is what `deliver_one` returns."""
    return pool().submit(row_id)


def pool() -> ThreadPool[UUID, Row | None]:
    with _one_maker:  # by itself the cache lets each of several threads that come at once make one
        return _pool()


@cache
def _pool() -> ThreadPool[UUID, Row | None]:
    # Of this process: several share what the provider allows (docs/operations.md).
    allowed = filter(None, (get_gateway(name).most_connections for name in gateways.in_use()))
    made = ThreadPool(_deliver_one_and_let_go, connections.close_all, min([settings.SMS_WORKERS, *allowed]), "sender")
    # What is under way at a restart gets a moment for its outcome; nothing hangs for longer.
    atexit.register(lambda: made.drain(settings.SMS_WAIT_SECONDS))
    return made


def _deliver_one_and_let_go(row_id: UUID) -> Row | None:
    """Keeps its connection for the next one (another would cost 1.4 ms): the pool gives it back when it is at rest."""
    try:
        return deliver_one(row_id)
    except Exception:
        connections.close_all()  # it may be the connection that broke
        raise


def deliver_one(row_id: UUID, ways: list[Gateway] | None = None) -> Row | None:
    """Sends one row and returns it with its outcome. None: it was rolled back, or is not (or no longer) to be sent.

    `ways`: those of its gateways that were not tried yet; None: all.
    """
    found = Row.objects.due().select_related("customer", "order").filter(pk=row_id).order_by()
    if (row := next(iter(found), None)) is None:
        return None
    with bound_contextvars(request_id=row.request_id or request_id.current()):
        return _deliver(row, ways)


def _deliver(row: Row, ways: list[Gateway] | None) -> Row | None:
    if not row.attempts:
        row.type, row.recipient = sending_rules.way_to(row.customer)
    if (verdict := sending_rules.blocked_by(row)) is not None:
        return row if _withhold(row, verdict) else None
    if row.attempts and not gateways.repeatable(row):
        return row if row.move(Status.PENDING, Status.UNKNOWN, status_reason=Reason.NO_ANSWER) else None
    if (morning := sending_rules.not_before(row)) is not None:
        return row if row.wait_until(morning) else None
    return _send_by(gateways.ways(row) if ways is None else ways, row)


def _send_by(ways: list[Gateway], row: Row) -> Row | None:
    """Sends a row by the first of these gateways; by the next only what this one certainly did not send.

    That took its time: by then the order may have moved on.
    """
    if not ways or not _claim(row, ways[0]):
        return None
    gateway, others = ways[0], ways[1:]
    started = time.perf_counter()
    status, outcome = _send(row, gateway, others)
    statistics.SENDINGS.labels(gateway.name, row.kind, status).observe(time.perf_counter() - started)
    kept = _keep(row, status, outcome)
    if not kept:
        log.warning("SMS %s is %s, and its row was changed meanwhile.", row.pk, status)
    log.info("SMS %s (%s) to %s by %s: %s", row.pk, row.kind, row.masked_recipient, gateway.name, status)
    gateways.note(gateway, outcome["status_reason"], outcome["error_message"])
    if kept and others and row.status == Status.PENDING:
        return deliver_one(row.pk, others) or row
    return row


def _keep(row: Row, status: Status, outcome: dict[str, Any]) -> bool:
    """Writes the outcome; a database that restarts is waited for, because nobody will say the outcome twice."""
    for pause in (*RESTART_PAUSES, None):
        try:
            return row.move(Status.SENDING, status, **outcome) or _keep_late(row, status, outcome)
        except Error as error:
            if pause is None or not is_away(error):
                raise
            connections.close_all()
            time.sleep(pause)
    raise AssertionError("The last pause is None.")


def _keep_late(row: Row, status: Status, outcome: dict[str, Any]) -> bool:
    """Somebody gave this sending up for dead, and it was only slow. They may have sent it again: it does not wait."""
    if status == Status.PENDING:
        status = Status.FAILED
    return status in MOVES[Status.UNKNOWN] and row.move(Status.UNKNOWN, status, **outcome)


def _withhold(row: Row, verdict: sending_rules.Verdict) -> bool:
    if row.attempts:
        # It may have gone out before: not sending it again does not make that known.
        return row.move(Status.PENDING, Status.UNKNOWN, status_reason=verdict.reason)
    columns: dict[str, Any] = {"type": row.type, "recipient": row.recipient or row.customer.phone}
    return row.move(Status.PENDING, verdict.status, status_reason=verdict.reason, **columns)


def _claim(row: Row, gateway: Gateway) -> bool:
    """From here on the row is ours. One sent before under the same id keeps its text: the id stands for that text."""
    columns: dict[str, Any] = {"claimed_at": timezone.now(), "attempts": row.attempts + 1, "gateway": gateway.name}
    if not row.attempts:
        text = row.render()
        parts = carrier_rules.segments(text) if row.type == Type.SMS else 0
        columns |= {"type": row.type, "recipient": row.recipient, "content": text, "segments": parts}
    return row.move(Status.PENDING, Status.SENDING, **columns)


def pause(row: Row, reason: str) -> timedelta:
    """How long a row waits for a provider that did not take it."""
    if reason != Reason.UNKNOWN_CODE:
        return BUSY_PAUSE
    return min(max(timezone.now() - row.created_at, BUSY_PAUSE), LONGEST_PAUSE)


@measured("send")
def _send(row: Row, gateway: Gateway, others: list[Gateway]) -> tuple[Status, dict[str, Any]]:
    """What became of the message, as status and columns."""
    try:
        accepted = gateway.send(Message(row.pk, row.recipient, row.content, sending_rules.true_until(row)))
    except GatewayError as error:
        # One that may have gone out before stays unknown, whatever is said of it now.
        certain = error.reason != Reason.NO_ANSWER and row.attempts == 1
        said = gateway.clean(str(error), row.recipient)
        columns: dict[str, Any] = {"status_reason": error.reason, "error_message": said, "raw_status": error.raw_status}
        if not certain:
            return Status.UNKNOWN, columns
        if error.reason not in WAITING:
            return Status.FAILED, columns
        # What waits was never sent; whoever sends it, it is their first time.
        columns["attempts"] = 0
        if error.reason not in STOPPING and not others:
            columns["send_after"] = timezone.now() + pause(row, error.reason)
        return Status.PENDING, columns
    except Exception as error:
        said = f"The gateway broke: {type(error).__name__}."
        # Where, and not what it says: that may hold a secret.
        log.error("SMS %s by %s: %s\n%s", row.pk, gateway.name, said, "".join(format_tb(error.__traceback__)))
        return Status.UNKNOWN, {"status_reason": Reason.INTERRUPTED, "error_message": said}
    return Status.SENT, {
        "provider_message_id": accepted.provider_message_id, "raw_status": accepted.raw_status,
        "points": accepted.points, "sent_at": timezone.now(), "status_reason": "", "error_message": "",
    }  # fmt: skip
