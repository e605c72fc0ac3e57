"""`sms_notifications` off: everything waits and says why, and goes out when it is on again, if it is still true."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.core.management import call_command

from notifications.gateways.local import Memory
from notifications.management.commands.send_pending_sms import Service
from notifications.models import NotificationHistory
from notifications.states import Reason, Status
from notifications.tests.factories import make_message
from notifications.tests.test_sender import confirm
from notifications.timeline import next_step
from orders.models import Order
from orders.states import Status as OrderStatus
from orders.tests.factories import turn
from web import flags

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _switched_off(all_switches_on: None, transactional_db: None) -> None:
    Memory.outbox.clear()
    turn(flags.SMS, False)


def test_what_is_owed_waits_and_goes_out_when_it_is_on_again() -> None:
    rows = [confirm(phone="0912-345-678"), confirm(phone="", email="w@example.tw")]
    assert ([row.status for row in rows], Memory.outbox) == ([Status.PENDING] * 2, [])
    turn(flags.SMS, True)
    for row in rows:
        row.refresh_from_db()
    assert ([row.status for row in rows], len(Memory.outbox)) == ([Status.SENT] * 2, 1)


def test_what_is_no_longer_true_by_then_is_not_said() -> None:
    row = confirm()
    assert row.order is not None
    Order.objects.get(pk=row.order.pk).transition_to(OrderStatus.CANCELLED, reason="x")
    turn(flags.SMS, True)
    row.refresh_from_db()
    assert (row.status, row.status_reason, Memory.outbox) == (Status.CANCELLED, Reason.OVERTAKEN, [])


def test_the_message_says_why_it_waits(settings: Any) -> None:
    settings.LANGUAGE_CODE = "en"
    assert next_step(confirm()).words == "It waits until messages are switched on again."


@pytest.mark.parametrize("arguments", [[], ["--limit", "1"]])
def test_the_command_sends_nothing_and_calls_it_no_failure(arguments: list[str]) -> None:
    make_message()
    call_command("send_pending_sms", *arguments)
    assert Service(threading.Event(), 10).round() == 0
    assert (NotificationHistory.objects.get().status, Memory.outbox) == (Status.PENDING, [])
