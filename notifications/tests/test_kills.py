"""Kills a process at each step between commit and receipt, and then settles the status of its message."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from luckygas.testing.sandbox.faults import FaultKind, SandboxFault
from luckygas.testing.sandbox.receipts import QueuedReceipt, ReceiptPolicy
from luckygas.testing.sandbox.server import Sandbox
from luckygas.testing.waiting import wait_for
from notifications import queue, sender
from notifications.models import NotificationHistory
from notifications.states import MessageStatus, Reason
from notifications.tests import child
from notifications.tests.on_sandbox import GATEWAYS, SECRET, callback_url, use_sandbox
from orders.models import Order
from orders.states import OrderStatus
from orders.tests.factories import make_customer, make_order
from realtime.models import Outbox

pytestmark = pytest.mark.django_db(transaction=True)
Rows = NotificationHistory.objects

# Code for the process. `kill_at` calls `do` when a message gets `status`, in the transaction of that change.
PRELUDE = """
import signal
from django.db import transaction
from django.db.models.signals import pre_save
from notifications.models import message_moved
def kill():
    os.kill(os.getpid(), signal.SIGKILL)
def kill_at(status, do):
    message_moved.connect(lambda message, **_: message.status == status and do(), weak=False)
"""
# Step → code of the process, the row's status afterwards, and the number of delivered messages.
STEPS: dict[str, tuple[str, MessageStatus, int]] = {
    "after_the_commit": (
        "pre_save.connect(lambda **_: transaction.on_commit(kill), sender=Order, weak=False)", MessageStatus.PENDING,
        0),
    "after_the_claim": ("kill_at('sending', lambda: transaction.on_commit(kill))", MessageStatus.SENDING, 0),
    # Killed from outside while the provider does not answer.
    "before_the_answer": ("", MessageStatus.SENDING, 1),
    "before_the_outcome": ("kill_at('sent', kill)", MessageStatus.SENDING, 1),
    "before_the_receipt": ("kill_at('sent', lambda: transaction.on_commit(kill))", MessageStatus.SENT, 1),
}  # fmt: skip


@pytest.fixture
def telephones(live_server: Any, settings: Any) -> Iterator[Sandbox]:
    """A sandbox that sends receipts to this site on demand."""
    settings.SMS_CALLBACK_SECRET, settings.SMS_CALLBACK_BASE_URL = SECRET, live_server.url
    with Sandbox(callbacks={"every8d": callback_url(live_server.url, "every8d")}) as running:
        running.operator.receipts.policy = ReceiptPolicy(outcome=None)
        yield running
    assert sender.pool().drain(10)


def kill_at_step(step: str, sandbox: Sandbox, order: Order) -> NotificationHistory:
    """Runs a process that confirms the order and is killed at this step. Returns the row of its message."""
    before, status, reached = STEPS[step]
    if not before:
        sandbox.operator.faults.set(SandboxFault(FaultKind.HANG, times=1))
    process = child.start_confirming(order.pk, PRELUDE + before)
    if not before:
        wait_for(lambda: count_delivered(sandbox) == reached)
        process.kill()
    assert child.end(process) == (-signal.SIGKILL, "")
    row = Rows.get(order=order)
    assert (row.status, count_delivered(sandbox)) == (status, reached)
    return row


def count_delivered(sandbox: Sandbox) -> int:
    return len(sandbox.operator.telephones.all())


def settle(row: NotificationHistory) -> tuple[MessageStatus, str]:
    """Runs `send_pending_sms`, as if the row was claimed an hour ago. Returns the row's status and reason."""
    Rows.filter(pk=row.pk, status=MessageStatus.SENDING).unannounced().update(
        claimed_at=timezone.now() - timedelta(hours=1)
    )
    with suppress(SystemExit):  # exit code 1 if the message stays unknown
        call_command("send_pending_sms")
    row.refresh_from_db()
    return MessageStatus(row.status), row.status_reason


def last_event(row: NotificationHistory) -> tuple[str, str]:
    """Returns the type and the status of the last event about a row."""
    last = Outbox.objects.filter(subject=f"notification:{row.pk}").latest("id")
    return last.type, last.delta["status"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("gateway", ["http", *(pytest.param(name, marks=pytest.mark.long) for name in GATEWAYS[1:])])
def test_status_can_be_settled_after_a_kill_at_any_step(
    gateway: str, step: str, telephones: Sandbox, settings: Any
) -> None:
    use_sandbox(settings, telephones, gateway)
    settings.SMS_TIMEOUT_SECONDS = 10
    order = make_order(customer=make_customer(phone="0912-345-678"))
    row = kill_at_step(step, telephones, order)
    reached = STEPS[step][2]
    if gateway == "every8d" and row.status == MessageStatus.SENDING:
        # Without an idempotency key only a person may resend it.
        assert settle(row) == (MessageStatus.UNKNOWN, Reason.INTERRUPTED)
        assert (last_event(row), count_delivered(telephones)) == (("notification.failed", "unknown"), reached)
        row = queue.resend(row)
        assert (row.status, count_delivered(telephones)) == (MessageStatus.SENT, reached + 1)
    else:
        assert (settle(row), count_delivered(telephones)) == ((MessageStatus.SENT, ""), 1)
    assert last_event(row) == ("notification.sent", "sent")
    if gateway != "http":
        settle_by_query_and_receipt(row, telephones)
    assert Order.objects.get(pk=order.pk).status == OrderStatus.CONFIRMED
    assert Order.objects.get(pk=order.pk).version == order.version + 1


def settle_by_query_and_receipt(row: NotificationHistory, sandbox: Sandbox) -> None:
    """Checks that a query sets the row to `expired`, and that a later receipt sets it to `delivered`."""
    sent = sandbox.operator.telephones.all()[-1]
    sent.settle(MessageStatus.EXPIRED)
    Rows.filter(pk=row.pk).unannounced().update(sent_at=timezone.now() - timedelta(hours=2))
    call_command("query_sms_status")
    assert Rows.get(pk=row.pk).status == MessageStatus.EXPIRED
    sandbox.operator.receipts.schedule(QueuedReceipt(sent, MessageStatus.DELIVERED))
    wait_for(lambda: sent.receipts == 1)
    assert Rows.get(pk=row.pk).status == MessageStatus.DELIVERED
    assert last_event(row) == ("notification.sent", "delivered")
