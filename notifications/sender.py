"""Sends pending messages on its own threads, so that a hanging provider delays no screen and no other request.

A sender claims a row with a conditional UPDATE, sends without a lock or transaction, and stores the outcome with a
second UPDATE. A process that dies in between leaves the row `pending` or `sending`; `send_pending_sms` finds it.
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
from notifications.states import MOVES, MessageStatus, MessageType, Reason
from web import request_id
from web.database import is_unavailable
from web.slow_work import ThreadPool
from web.timings import measure

log = logging.getLogger(__name__)
Row = NotificationHistory
# Seconds between tries to store an outcome. Their sum is longer than a restart of the database.
RESTART_PAUSES = (0.5, 1, 2, 4, 8)
# Maximum messages of one change that the server itself sends. A thousand would keep its processor busy for ten seconds
# and delay its requests.
MAX_AT_ONCE = 50
# Backoff for a provider that is busy or unreachable.
BUSY_PAUSE = timedelta(minutes=1)
# Maximum backoff after an unknown code. The backoff doubles each time, because a provider may answer so all day.
LONGEST_PAUSE = timedelta(minutes=10)
_pool_lock = threading.Lock()
_may_wait: ContextVar[bool] = ContextVar("sms_may_wait", default=True)
_collected: ContextVar[Any] = ContextVar("sms_collected", default=None)
T = TypeVar("T")


@contextmanager
def _set_temporarily(variable: ContextVar[T], value: T) -> Iterator[T]:
    token = variable.set(value)
    try:
        yield value
    finally:
        variable.reset(token)


def no_waiting() -> AbstractContextManager[object]:
    """Context in which `deliver` does not wait for outcomes. Commands on sockets use it: they share one thread."""
    return _set_temporarily(_may_wait, False)


def collect_outcomes() -> AbstractContextManager[list[Row]]:
    """Context that yields a list. `deliver` adds the rows whose outcome came in time, and those left to the service."""
    return _set_temporarily(_collected, list[Row]())


def deliver(*ids: UUID) -> None:
    """Sends these rows. Returns when all have an outcome, or after SMS_WAIT_SECONDS; within `no_waiting` at once.

    Leaves rows beyond MAX_AT_ONCE to `send_pending_sms --loop`, which serves no requests.
    """
    futures = [submit(row_id) for row_id in ids[:MAX_AT_ONCE]]
    if not _may_wait.get():
        return
    done = wait(futures, settings.SMS_WAIT_SECONDS).done
    collected = _collected.get()
    if collected is not None:
        outcomes = (future.result() for future in done if future.exception() is None)
        collected.extend(row for row in outcomes if row is not None)
        if left := ids[MAX_AT_ONCE:]:
            collected.extend(Row.objects.filter(pk__in=left).only("kind", "status", "status_reason"))


def submit(row_id: UUID) -> Future[Row | None]:
    """Queues one row for the sender threads. The future holds the result of `deliver_one`."""
    return pool().submit(row_id)


def pool() -> ThreadPool[UUID, Row | None]:
    with _pool_lock:  # without it, threads that call at the same time would each build a pool
        return _pool()


@cache
def _pool() -> ThreadPool[UUID, Row | None]:
    # This limits one process. Several processes share the connections that the provider allows (docs/operations.md).
    allowed = filter(None, (get_gateway(name).max_connections for name in gateways.names_in_use()))
    created = ThreadPool(_deliver_one_safely, connections.close_all, min([settings.SMS_WORKERS, *allowed]), "sender")
    # When the process exits, sendings under way get this long for their outcome.
    atexit.register(lambda: created.drain(settings.SMS_WAIT_SECONDS))
    return created


def _deliver_one_safely(row_id: UUID) -> Row | None:
    """As `deliver_one`, but closes the thread's database connection after an error.

    Otherwise the connection stays open for the next row, because a new one costs 1.4 ms. The pool closes it when idle.
    """
    try:
        return deliver_one(row_id)
    except Exception:
        connections.close_all()  # the connection may be the cause
        raise


def deliver_one(row_id: UUID, untried: list[Gateway] | None = None) -> Row | None:
    """Sends one row and returns it with its outcome. `untried`: the gateways that may still be tried; None: all.

    Returns None if the row was rolled back, is not due, has no gateway now, or another process was faster.
    """
    found = Row.objects.due().select_related("customer", "order").filter(pk=row_id).order_by()
    if (row := next(iter(found), None)) is None:
        return None
    with bound_contextvars(request_id=row.request_id or request_id.current()):
        return _deliver(row, untried)


def _deliver(row: Row, untried: list[Gateway] | None) -> Row | None:
    if not row.attempts:
        row.type, row.recipient = sending_rules.choose_recipient(row.customer)
    if (verdict := sending_rules.blocking_verdict(row)) is not None:
        return row if _withhold(row, verdict) else None
    if row.attempts and not gateways.is_repeatable(row):
        return row if row.move(MessageStatus.PENDING, MessageStatus.UNKNOWN, status_reason=Reason.NO_ANSWER) else None
    if (morning := sending_rules.earliest_time(row)) is not None:
        return row if row.wait_until(morning) else None
    return _send_with_first(gateways.gateways_for(row) if untried is None else untried, row)


def _send_with_first(candidates: list[Gateway], row: Row) -> Row | None:
    """Sends a row with the first of these gateways, and with the next one only if the first certainly did not send it.

    Checks the rules again before the next one, because the order may have changed meanwhile.
    """
    if not candidates or not _claim(row, candidates[0]):
        return None
    gateway, others = candidates[0], candidates[1:]
    started = time.perf_counter()
    status, outcome = _send(row, gateway, others)
    statistics.SENDINGS.labels(gateway.name, row.kind, status).observe(time.perf_counter() - started)
    is_stored = _store_outcome(row, status, outcome)
    if not is_stored:
        log.warning("SMS %s is %s, but another process changed its row; the outcome was not stored.", row.pk, status)
    log.info("SMS %s (%s) to %s by %s: %s", row.pk, row.kind, row.masked_recipient, gateway.name, status)
    gateways.record_failure(gateway, outcome["status_reason"], outcome["error_message"])
    if is_stored and others and row.status == MessageStatus.PENDING:
        return deliver_one(row.pk, others) or row
    return row


def _store_outcome(row: Row, status: MessageStatus, outcome: dict[str, Any]) -> bool:
    """Stores the outcome. False: another process changed the row.

    Retries while the database restarts, because the outcome is known only here.
    """
    for pause in (*RESTART_PAUSES, None):
        try:
            return row.move(MessageStatus.SENDING, status, **outcome) or _store_late_outcome(row, status, outcome)
        except Error as error:
            if pause is None or not is_unavailable(error):
                raise
            connections.close_all()
            time.sleep(pause)
    raise AssertionError("The last pause is None.")


def _store_late_outcome(row: Row, status: MessageStatus, outcome: dict[str, Any]) -> bool:
    """Stores the outcome of a slow sending that was marked as interrupted.

    The message may have been resent meanwhile. So it fails where it would otherwise wait for a retry.
    """
    if status == MessageStatus.PENDING:
        status = MessageStatus.FAILED
    return status in MOVES[MessageStatus.UNKNOWN] and row.move(MessageStatus.UNKNOWN, status, **outcome)


def _withhold(row: Row, verdict: sending_rules.Verdict) -> bool:
    if row.attempts:
        # An earlier try may have sent the message.
        return row.move(MessageStatus.PENDING, MessageStatus.UNKNOWN, status_reason=verdict.reason)
    columns: dict[str, Any] = {"type": row.type, "recipient": row.recipient or row.customer.phone}
    return row.move(MessageStatus.PENDING, verdict.status, status_reason=verdict.reason, **columns)


def _claim(row: Row, gateway: Gateway) -> bool:
    """Claims the row and renders its text. False: another process was faster.

    A retry keeps its text, because its id promises the same message.
    """
    columns: dict[str, Any] = {"claimed_at": timezone.now(), "attempts": row.attempts + 1, "gateway": gateway.name}
    if not row.attempts:
        text = row.render()
        parts = carrier_rules.segments(text) if row.type == MessageType.SMS else 0
        columns |= {"type": row.type, "recipient": row.recipient, "content": text, "segments": parts}
    return row.move(MessageStatus.PENDING, MessageStatus.SENDING, **columns)


def backoff(row: Row, reason: str) -> timedelta:
    """Returns the backoff: BUSY_PAUSE; after an unknown code the row's age, from BUSY_PAUSE up to LONGEST_PAUSE."""
    if reason != Reason.UNKNOWN_CODE:
        return BUSY_PAUSE
    return min(max(timezone.now() - row.created_at, BUSY_PAUSE), LONGEST_PAUSE)


@measure("send")
def _send(row: Row, gateway: Gateway, others: list[Gateway]) -> tuple[MessageStatus, dict[str, Any]]:
    """Sends a claimed row. Returns its new status and the columns to store with it."""
    try:
        accepted = gateway.send(Message(row.pk, row.recipient, row.content, sending_rules.expiry(row)))
    except GatewayError as error:
        # After an earlier try without an answer the message stays unknown, whatever this answer says.
        certain = error.reason != Reason.NO_ANSWER and row.attempts == 1
        columns: dict[str, Any] = {
            "status_reason": error.reason, "error_message": gateway.clean(str(error), row.recipient),
            "raw_status": error.raw_status,
        }  # fmt: skip
        if not certain:
            return MessageStatus.UNKNOWN, columns
        if error.reason not in WAITING:
            return MessageStatus.FAILED, columns
        # The message was certainly not sent, so the next try counts as the first.
        columns["attempts"] = 0
        if error.reason not in STOPPING and not others:
            columns["send_after"] = timezone.now() + backoff(row, error.reason)
        return MessageStatus.PENDING, columns
    except Exception as error:
        text = f"The gateway broke: {type(error).__name__}."
        # The traceback without the error's text, which may hold a secret.
        log.error("SMS %s by %s: %s\n%s", row.pk, gateway.name, text, "".join(format_tb(error.__traceback__)))
        return MessageStatus.UNKNOWN, {"status_reason": Reason.INTERRUPTED, "error_message": text}
    return MessageStatus.SENT, {
        "provider_message_id": accepted.provider_message_id, "raw_status": accepted.raw_status,
        "points": accepted.points, "sent_at": timezone.now(), "status_reason": "", "error_message": "",
    }  # fmt: skip
