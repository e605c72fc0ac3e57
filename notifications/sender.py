"""Sends what is owed, on threads of its own: a provider that hangs must hold up no screen and no other request.

A row is claimed by a conditional UPDATE, sent without any lock or transaction, and gets its outcome by another one.
A process that dies in between leaves `pending` or `sending`, which is the truth; `resend_sms --stuck` finds it.
"""

from __future__ import annotations

import atexit
import logging
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import close_old_connections, connections
from django.utils import timezone

from notifications import messages, rules, segments
from notifications.gateways import get_gateway
from notifications.gateways.base import Gateway, GatewayError, Message
from notifications.gateways.email import Email
from notifications.models import NotificationHistory
from notifications.pool import Pool
from notifications.states import Reason, Status, Type

log = logging.getLogger(__name__)
Row = NotificationHistory
_may_wait: ContextVar[bool] = ContextVar("sms_may_wait", default=True)
_collected: ContextVar[list[Row] | None] = ContextVar("sms_collected", default=None)


@contextmanager
def no_waiting() -> Iterator[None]:
    """Within it nobody waits for an outcome: for commands on sockets, which share one thread."""
    token = _may_wait.set(False)
    try:
        yield
    finally:
        _may_wait.reset(token)


@contextmanager
def collecting() -> Iterator[list[Row]]:
    """Gives the rows whose outcome came while the caller waited, within it."""
    rows: list[Row] = []
    token = _collected.set(rows)
    try:
        yield rows
    finally:
        _collected.reset(token)


def deliver(ids: Iterable[UUID]) -> None:
    """Sends these rows; returns when all have their outcome, at the latest after SMS_WAIT_SECONDS."""
    futures = [submit(row_id) for row_id in ids]
    if not _may_wait.get():
        return
    done = wait(futures, settings.SMS_WAIT_SECONDS).done
    collected = _collected.get()
    if collected is not None:
        outcomes = (future.result() for future in done if future.exception() is None)
        collected.extend(row for row in outcomes if row is not None)


def submit(row_id: UUID) -> Future[Row | None]:
    """Gives one row to the senders; the future is what `deliver_one` returns."""
    return pool().submit(row_id)


@cache
def pool() -> Pool[UUID, Row | None]:
    made = Pool(_deliver_one_and_let_go, connections.close_all, settings.SMS_WORKERS)
    # What is under way at a restart gets a moment for its outcome; nothing hangs for longer.
    atexit.register(lambda: made.drain(settings.SMS_WAIT_SECONDS))
    return made


def _deliver_one_and_let_go(row_id: UUID) -> Row | None:
    try:
        return deliver_one(row_id)
    finally:
        close_old_connections()


def deliver_one(row_id: UUID) -> Row | None:
    """Sends one row and returns it with its outcome. None: it was rolled back, or is not (or no longer) to be sent."""
    row = Row.objects.due().select_related("customer", "order").filter(pk=row_id).first()
    if row is None:
        return None
    if not row.attempts:
        row.type, row.recipient = rules.way_to(row.customer)
    if (verdict := rules.against(row)) is not None:
        return row if _withhold(row, verdict) else None
    if (morning := rules.not_before(row)) is not None:
        return row if row.wait_until(morning) else None
    gateway = Email() if row.type == Type.EMAIL else get_gateway()
    if not _claim(row, gateway):
        return None
    status, outcome = _send(row, gateway)
    # `unknown`: somebody gave this sending up for dead, and it was only slow.
    if not (row.move(Status.SENDING, status, **outcome) or row.move(Status.UNKNOWN, status, **outcome)):
        log.warning("SMS %s is %s, and its row was changed meanwhile.", row.pk, status)
    log.info("SMS %s (%s) to %s: %s", row.pk, row.kind, row.masked_recipient, status)
    return row


def _withhold(row: Row, verdict: rules.Verdict) -> bool:
    if row.attempts:
        # It may have gone out before: not sending it again does not make that known.
        return row.move(Status.PENDING, Status.UNKNOWN, status_reason=verdict.reason)
    columns = {"type": row.type, "recipient": row.recipient or row.customer.phone}
    return row.move(Status.PENDING, verdict.status, status_reason=verdict.reason, **columns)


def _claim(row: Row, gateway: Gateway) -> bool:
    """From here on the row is ours. One sent before under the same id keeps its text: the id stands for that text."""
    columns: dict[str, Any] = {"claimed_at": timezone.now(), "attempts": row.attempts + 1, "gateway": gateway.name}
    if not row.attempts:
        text = messages.render(row)
        parts = segments.count(text) if row.type == Type.SMS else 0
        columns |= {"type": row.type, "recipient": row.recipient, "content": text, "segments": parts}
    return row.move(Status.PENDING, Status.SENDING, **columns)


def _send(row: Row, gateway: Gateway) -> tuple[Status, dict[str, Any]]:
    """What became of the message, as status and columns."""
    try:
        accepted = gateway.send(Message(row.pk, row.recipient, row.content))
    except GatewayError as error:
        # One that may have gone out before stays unknown, whatever is said of it now.
        certain = error.reason != Reason.NO_ANSWER and row.attempts == 1
        said = gateway.clean(str(error), row.recipient)
        columns = {"status_reason": error.reason, "error_message": said, "raw_status": error.raw_status}
        return Status.FAILED if certain else Status.UNKNOWN, columns
    except Exception as error:
        log.exception("The gateway %s broke on SMS %s.", gateway.name, row.pk)
        said = f"The gateway broke: {type(error).__name__}."
        return Status.UNKNOWN, {"status_reason": Reason.INTERRUPTED, "error_message": said}
    return Status.SENT, {
        "provider_message_id": accepted.provider_message_id, "raw_status": accepted.raw_status,
        "sent_at": timezone.now(), "status_reason": "", "error_message": "",
    }  # fmt: skip
