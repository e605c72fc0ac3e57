"""From the change of an order, through the commit, to the outcome of its SMS."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.core.management import call_command
from django.db import InterfaceError, OperationalError, transaction

from luckygas.testing.waiting import wait_for
from notifications import queue, sender
from notifications.gateways import base
from notifications.gateways.local import Memory
from notifications.models import MessageTemplate, NotificationHistory
from notifications.states import MessageKind, MessageStatus, Reason
from notifications.tests import provider as behaviours
from notifications.tests.factories import make_message, make_quiet_order
from notifications.tests.provider import Provider, answers
from orders.models import Order
from orders.states import OrderStatus
from orders.tests.factories import make_customer, make_order
from orders.tests.threads import in_thread, run_concurrently

pytestmark = pytest.mark.django_db(transaction=True)


def confirm(**customer: Any) -> NotificationHistory:
    """Confirms a new order. Returns the row of its message."""
    order = make_order(customer=make_customer(**customer))
    order.transition_to(OrderStatus.CONFIRMED)
    assert Order.objects.get(pk=order.pk).status == OrderStatus.CONFIRMED
    return NotificationHistory.objects.get(order=order)


@pytest.mark.sqlite
def test_accepted_message_stores_the_providers_answer(provider: Provider) -> None:
    row = confirm(phone="0912-345-678")
    assert (row.status, row.status_reason, row.error_message) == (MessageStatus.SENT, "", "")
    assert (row.provider_message_id, row.raw_status, row.gateway) == ("m-1", "200", "http")
    assert (row.recipient, row.segments, row.attempts) == ("+886912345678", 1, 1)
    assert row.sent_at and row.claimed_at and row.sent_at >= row.claimed_at  # noqa: PT018  (for the types)
    assert provider.requests[0].body["message"] == row.content
    assert provider.requests[0].headers["Idempotency-Key"] == str(row.pk)


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("code", "status", "reason"),
    [(400, MessageStatus.FAILED, Reason.REFUSED), (500, MessageStatus.UNKNOWN, Reason.NO_ANSWER)],
)
def test_error_of_provider_is_stored_masked(
    provider: Provider, code: int, status: MessageStatus, reason: Reason
) -> None:
    provider.behave(answers(code, "cannot send to 0912345678, key top-secret"))
    row = confirm(phone="0912-345-678")
    assert (row.status, row.status_reason, row.raw_status, row.sent_at) == (status, reason, str(code), None)
    assert row.error_message == "cannot send to 0912-***-678, key ***"
    assert {request.headers["Idempotency-Key"] for request in provider.requests} == {str(row.pk)}


@pytest.mark.sqlite
def test_caller_waits_limited_time_and_sending_goes_on(provider: Provider, settings: Any) -> None:
    settings.SMS_TIMEOUT_SECONDS, settings.SMS_WAIT_SECONDS, may_answer = 20, 0.3, threading.Event()
    provider.behave(lambda handler: behaviours.ACCEPTS(handler) if may_answer.wait(20) else None)
    row = confirm()
    assert row.status == MessageStatus.SENDING
    may_answer.set()
    assert sender.pool().drain(20)
    row.refresh_from_db()
    assert row.status == MessageStatus.SENT


@pytest.mark.sqlite
def test_hanging_provider_delays_no_other_work(provider: Provider, settings: Any) -> None:
    settings.SMS_TIMEOUT_SECONDS = settings.SMS_WAIT_SECONDS = 20
    provider.behave(behaviours.hangs)
    order, other = make_order(), make_quiet_order()
    hanging = in_thread(lambda: order.transition_to(OrderStatus.CONFIRMED))
    wait_for(lambda: bool(provider.requests))
    other.notes = "後門"
    other.save()
    assert not hanging.wait(0)
    provider.is_over.set()
    hanging.join()


@pytest.mark.sqlite
def test_no_waiting_returns_before_the_outcome(provider: Provider) -> None:
    provider.behave(behaviours.hangs)
    with sender.no_waiting():
        assert confirm().status in (MessageStatus.PENDING, MessageStatus.SENDING)
    provider.is_over.set()


@pytest.mark.sqlite
def test_concurrent_confirms_send_one_sms(provider: Provider) -> None:
    order = make_order()
    copies = [Order.objects.get(pk=order.pk) for _ in range(2)]
    outcomes = run_concurrently(lambda copy: copy.transition_to(OrderStatus.CONFIRMED), copies)
    assert outcomes.count("invalid_transition") == 1
    assert (len(provider.requests), NotificationHistory.objects.count()) == (1, 1)


@pytest.mark.sqlite
def test_concurrent_senders_send_row_once() -> None:
    row = make_message()
    futures = [sender.submit(row.pk) for _ in range(20)]
    outcomes = [future.result(10) for future in futures]
    assert (len(Memory.outbox), len([found for found in outcomes if found])) == (1, 1)


@pytest.mark.sqlite
def test_landline_is_suppressed_with_reason() -> None:
    row = confirm(phone="02-2930-0016")
    assert (row.status, row.status_reason, row.masked_recipient) == (
        MessageStatus.SUPPRESSED,
        Reason.NO_MOBILE,
        "02-***-016",
    )
    assert (Memory.outbox, row.attempts, row.segments) == ([], 0, 0)


@pytest.mark.sqlite
def test_text_is_rendered_when_sent() -> None:
    order = make_quiet_order()
    row = make_message(order=order)
    order.time_slot = "evening"
    order.save()
    sender.deliver_one(row.pk)
    assert Memory.outbox[0].text.endswith("11/23 晚上")


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("answer", "order", "reason", "requests"),
    [
        (answers(400), OrderStatus.CONFIRMED, Reason.REFUSED, 1),
        (answers(200), OrderStatus.DELIVERED, Reason.OVERTAKEN, 0),
    ],
)
def test_retry_without_acceptance_becomes_unknown(
    provider: Provider, answer: Any, order: str, reason: Reason, requests: int
) -> None:
    provider.behave(answer)
    row = make_message(
        order=make_quiet_order(order), attempts=1, gateway="http", content="x", recipient="+886987654321"
    )
    sender.deliver_one(row.pk)
    row.refresh_from_db()
    assert (row.status, row.status_reason, row.recipient) == (MessageStatus.UNKNOWN, reason, "+886987654321")
    assert len(provider.requests) == requests


@pytest.mark.sqlite
def test_retry_keeps_text_and_number(provider: Provider) -> None:
    row = make_message(attempts=1, gateway="http", content="the first text", recipient="+886987654321")
    sender.deliver_one(row.pk)
    (request,) = provider.requests
    assert (request.headers["Idempotency-Key"], request.body["message"]) == (str(row.pk), "the first text")
    assert request.body["phone"] == "+886987654321"


@pytest.mark.sqlite
def test_raising_gateway_leaves_message_unknown(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def break_down(*args: Any) -> None:
        raise KeyError(args)

    monkeypatch.setattr(Memory, "transmit", break_down)
    row = confirm()
    assert (row.status, row.status_reason) == (MessageStatus.UNKNOWN, Reason.INTERRUPTED)
    assert row.error_message == "The gateway broke: KeyError."
    assert ("in break_down" in caplog.text, row.content in caplog.text) == (True, False)


@pytest.mark.sqlite
def test_late_answer_of_interrupted_sending_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    def transmit(self: Memory, message: base.Message) -> base.Accepted:
        row = NotificationHistory.objects.get(pk=message.id)
        assert row.move(MessageStatus.SENDING, MessageStatus.UNKNOWN, status_reason=Reason.INTERRUPTED)
        return base.Accepted("late")

    monkeypatch.setattr(Memory, "transmit", transmit)
    row = confirm()
    assert (row.status, row.status_reason, row.provider_message_id) == (MessageStatus.SENT, "", "late")


@pytest.mark.sqlite
def test_late_answer_does_not_overwrite_a_retry(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def transmit(self: Memory, message: base.Message) -> base.Accepted:
        row = NotificationHistory.objects.get(pk=message.id)
        NotificationHistory.objects.filter(pk=row.pk).unannounced().update(attempts=row.attempts + 1)
        return base.Accepted("late")

    monkeypatch.setattr(Memory, "transmit", transmit)
    row = confirm()
    assert (row.status, row.provider_message_id, row.attempts) == (MessageStatus.SENDING, "", 2)
    assert "another process changed its row" in caplog.text


@pytest.mark.sqlite
def test_logs_mask_numbers(provider: Provider, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    confirm(phone="0912-345-678")
    assert "0912-***-678" in caplog.text
    own_records = [record for record in caplog.records if not record.name.startswith("django.db")]
    assert not [record for record in own_records if "912345678" in record.getMessage().replace("-", "")]


@pytest.mark.sqlite
def test_outcome_is_stored_after_database_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "RESTART_PAUSES", (0.01, 0.01))
    real, faults = NotificationHistory.move, [OperationalError(), InterfaceError()]

    def move(row: NotificationHistory, before: str, to: str, **columns: Any) -> bool:
        if to == MessageStatus.SENT and faults:
            raise faults.pop()
        return real(row, before, to, **columns)

    monkeypatch.setattr(NotificationHistory, "move", move)
    assert (confirm().status, faults, len(Memory.outbox)) == (MessageStatus.SENT, [], 1)


@pytest.mark.sqlite
def test_changed_template_applies_to_next_message() -> None:
    row = make_message()
    template = MessageTemplate.objects.create(kind=row.kind, body_zh="好 {order_number}")
    sender.deliver_one(row.pk)
    template.is_on = False
    template.save()
    off = confirm()
    assert [(sent.text, sent.valid_until) for sent in Memory.outbox] == [(f"【幸福氣】好 {row.order}", None)]
    assert (off.status, off.status_reason) == (MessageStatus.SUPPRESSED, Reason.SWITCHED_OFF)


@pytest.mark.sqlite
def test_whole_delivery_in_one_transaction_sends_only_the_last_message() -> None:
    with transaction.atomic():
        order = make_order(OrderStatus.DELIVERED)
    rows = NotificationHistory.objects.filter(order=order).order_by("created_at")
    assert [row.status for row in rows] == [*[MessageStatus.CANCELLED] * 3, MessageStatus.SENT]
    assert "已送達" in Memory.outbox[0].text


@pytest.mark.sqlite
def test_turned_away_sends_a_correction() -> None:
    order = make_quiet_order(OrderStatus.DELIVERING)
    order.transition_to(OrderStatus.ARRIVING)
    order.transition_to(OrderStatus.DELIVERING)
    assert ["臨時先離開" in sent.text for sent in Memory.outbox] == [False, True]
    happened = NotificationHistory.objects.order_by("created_at").values_list("happened_at", flat=True)
    lifetimes = timedelta(minutes=10), timedelta(minutes=30)
    assert [sent.valid_until for sent in Memory.outbox] == [
        at + lifetime for at, lifetime in zip(happened, lifetimes, strict=True)
    ]


def test_server_leaves_the_rest_of_a_large_batch_to_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "MAX_AT_ONCE", 2)
    orders = [make_order() for _ in range(3)]
    with sender.collect_outcomes() as collected, transaction.atomic():
        for order in orders:
            order.transition_to(OrderStatus.CONFIRMED)
    assert sorted(row.status for row in collected) == ["pending", "sent", "sent"]
    assert sorted(NotificationHistory.objects.values_list("status", flat=True)) == ["pending", "sent", "sent"]
    call_command("send_pending_sms")
    assert not NotificationHistory.objects.exclude(status="sent").exists()
    assert len(Memory.outbox) == 3


def test_rolled_back_change_sends_nothing() -> None:
    order = make_order()
    with pytest.raises(RuntimeError), transaction.atomic():
        order.transition_to(OrderStatus.CONFIRMED)
        raise RuntimeError
    assert (NotificationHistory.objects.count(), Memory.outbox) == (0, [])


def test_rolled_back_savepoint_sends_nothing_and_others_are_sent() -> None:
    first, undone, last = (make_order() for _ in range(3))
    with transaction.atomic():
        first.transition_to(OrderStatus.CONFIRMED)
        with pytest.raises(RuntimeError), transaction.atomic():
            undone.transition_to(OrderStatus.CONFIRMED)
            raise RuntimeError
        last.transition_to(OrderStatus.CONFIRMED)
    assert {row.order_id for row in NotificationHistory.objects.filter(status="sent")} == {first.pk, last.pk}
    assert len(Memory.outbox) == 2


def test_same_message_twice_in_an_attempt_is_sent_once() -> None:
    order = make_quiet_order()
    for _ in range(2):
        with transaction.atomic():
            queue.enqueue(order, MessageKind.ORDER_CONFIRMED)
    assert (NotificationHistory.objects.count(), len(Memory.outbox)) == (1, 1)


@pytest.mark.parametrize(("status", "rows"), [("sent", 2), ("unknown", 2), ("pending", 2), ("failed", 3)])
def test_resend_prevents_an_automatic_message_unless_it_failed(status: str, rows: int) -> None:
    order = make_quiet_order(OrderStatus.ASSIGNED)
    first = make_message("failed", order=order)
    make_message(status, order=order, resend_of=first)
    order.transition_to(OrderStatus.CONFIRMED)
    assert NotificationHistory.objects.filter(order=order).count() == rows


def test_new_date_is_queued_after_a_resend() -> None:
    order = make_quiet_order()
    first = make_message("failed", order=order, kind=MessageKind.ORDER_RESCHEDULED)
    make_message("sent", order=order, kind=MessageKind.ORDER_RESCHEDULED, resend_of=first)
    order.scheduled_date += timedelta(days=1)
    order.save()
    assert NotificationHistory.objects.filter(order=order).count() == 3


def test_order_is_confirmed_despite_sender_error(settings: Any) -> None:
    order = make_order()
    with mock.patch.object(sender, "submit", side_effect=RuntimeError("no threads")):
        order.transition_to(OrderStatus.CONFIRMED)
    assert Order.objects.get(pk=order.pk).status == OrderStatus.CONFIRMED
    assert NotificationHistory.objects.get().status == "pending"
