from __future__ import annotations

from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.core.management import call_command
from django.db import transaction

from notifications import queue, sender
from notifications.gateways.local import Memory
from notifications.models import NotificationHistory
from notifications.states import Kind
from notifications.tests.factories import make_message, make_quiet_order
from orders.models import Order
from orders.states import Status as OrderStatus
from orders.tests.factories import make_order

pytestmark = pytest.mark.django_db(transaction=True)


def test_of_very_many_a_server_sends_some_and_the_service_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "MOST_AT_ONCE", 2)
    orders = [make_order() for _ in range(3)]
    with sender.collecting() as told, transaction.atomic():
        for order in orders:
            order.transition_to(OrderStatus.CONFIRMED)
    assert sorted(row.status for row in told) == ["pending", "sent", "sent"]
    assert sorted(NotificationHistory.objects.values_list("status", flat=True)) == ["pending", "sent", "sent"]
    call_command("send_pending_sms")
    assert not NotificationHistory.objects.exclude(status="sent").exists()
    assert len(Memory.outbox) == 3


def test_a_rolled_back_change_tells_nobody() -> None:
    order = make_order()
    with pytest.raises(RuntimeError), transaction.atomic():
        order.transition_to(OrderStatus.CONFIRMED)
        raise RuntimeError
    assert (NotificationHistory.objects.count(), Memory.outbox) == (0, [])


def test_a_rolled_back_savepoint_tells_nobody_and_the_rest_goes_on() -> None:
    first, undone, last = (make_order() for _ in range(3))
    with transaction.atomic():
        first.transition_to(OrderStatus.CONFIRMED)
        with pytest.raises(RuntimeError), transaction.atomic():
            undone.transition_to(OrderStatus.CONFIRMED)
            raise RuntimeError
        last.transition_to(OrderStatus.CONFIRMED)
    assert {row.order_id for row in NotificationHistory.objects.filter(status="sent")} == {first.pk, last.pk}
    assert len(Memory.outbox) == 2


def test_the_same_message_twice_in_an_attempt_is_one() -> None:
    order = make_quiet_order()
    for _ in range(2):
        with transaction.atomic():
            queue.put(order, Kind.ORDER_CONFIRMED)
    assert (NotificationHistory.objects.count(), len(Memory.outbox)) == (1, 1)


@pytest.mark.parametrize(("status", "rows"), [("sent", 2), ("unknown", 2), ("pending", 2), ("failed", 3)])
def test_what_the_office_sent_again_is_not_said_a_third_time(status: str, rows: int) -> None:
    order = make_quiet_order(OrderStatus.ASSIGNED)
    first = make_message("failed", order=order)
    make_message(status, order=order, resend_of=first)
    order.transition_to(OrderStatus.CONFIRMED)
    assert NotificationHistory.objects.filter(order=order).count() == rows


def test_a_new_date_is_told_also_when_the_last_one_was_sent_again() -> None:
    order = make_quiet_order()
    first = make_message("failed", order=order, kind=Kind.ORDER_RESCHEDULED)
    make_message("sent", order=order, kind=Kind.ORDER_RESCHEDULED, resend_of=first)
    order.scheduled_date += timedelta(days=1)
    order.save()
    assert NotificationHistory.objects.filter(order=order).count() == 3


def test_a_broken_sender_fails_no_order(settings: Any) -> None:
    order = make_order()
    with mock.patch.object(sender, "submit", side_effect=RuntimeError("no threads")):
        order.transition_to(OrderStatus.CONFIRMED)
    assert Order.objects.get(pk=order.pk).status == OrderStatus.CONFIRMED
    assert NotificationHistory.objects.get().status == "pending"
