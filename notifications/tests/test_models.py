from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from notifications.models import LONGEST_SENDING, MessageTemplate, NotificationHistory, message_moved
from notifications.states import MOVES, MessageKind, MessageStatus, Reason
from notifications.tests.factories import make_message, make_quiet_order
from orders.tests.factories import make_customer

pytestmark = pytest.mark.django_db
Rows = NotificationHistory.objects


def test_move_from_another_status_changes_nothing() -> None:
    row = make_message(MessageStatus.SENT)
    assert not row.move(MessageStatus.SENDING, MessageStatus.FAILED, status_reason=Reason.REFUSED)
    found = Rows.get(pk=row.pk)
    assert (found.status, found.status_reason, row.status_reason) == (MessageStatus.SENT, "", "")


def test_move_of_a_retried_row_changes_nothing() -> None:
    row = make_message(MessageStatus.SENDING)
    Rows.filter(pk=row.pk).unannounced().update(attempts=2)
    assert not row.move(MessageStatus.SENDING, MessageStatus.UNKNOWN)


ALL_MOVES = [(before, to) for before in MessageStatus for to in MessageStatus]
FINAL = {MessageStatus.DELIVERED, MessageStatus.FAILED, MessageStatus.CANCELLED}


@pytest.mark.parametrize(("before", "to"), [(before, to) for before, to in ALL_MOVES if to in MOVES[before]])
def test_allowed_move_adds_a_step(before: MessageStatus, to: MessageStatus) -> None:
    row = make_message(before)
    assert row.move(before, to, status_reason=Reason.REFUSED, raw_status="x")
    assert Rows.get(pk=row.pk).status == to
    assert [(n.status, n.reason, n.raw_status) for n in row.trail.all()] == [(to, Reason.REFUSED, "x")]


@pytest.mark.parametrize(("before", "to"), [(before, to) for before, to in ALL_MOVES if to not in MOVES[before]])
def test_forbidden_move_raises_and_changes_nothing(before: MessageStatus, to: MessageStatus) -> None:
    row = make_message(before)
    with pytest.raises(ValueError, match=f"{before} to {to}"):
        row.move(before, to)
    assert (Rows.get(pk=row.pk).status, row.status, row.trail.count()) == (before, before, 0)


def test_moves_keep_final_statuses_and_allow_late_delivery() -> None:
    assert set(MOVES) == set(MessageStatus)
    assert {status for status in MessageStatus if not MOVES[status]} == FINAL
    assert {status for status in MessageStatus if MessageStatus.DELIVERED in MOVES[status]} == {
        MessageStatus.SENT, MessageStatus.UNKNOWN, MessageStatus.EXPIRED, MessageStatus.PENDING
    }  # fmt: skip
    # Only a pending message can be sent.
    assert {status for status in MessageStatus if MessageStatus.SENDING in MOVES[status]} == {MessageStatus.PENDING}


@pytest.mark.django_db(transaction=True)
def test_move_and_its_step_are_atomic() -> None:
    row = make_message(MessageStatus.SENDING)

    def fail(**kwargs: Any) -> None:
        raise ConnectionError

    message_moved.connect(fail)
    try:
        with pytest.raises(ConnectionError):
            row.move(MessageStatus.SENDING, MessageStatus.SENT)
    finally:
        message_moved.disconnect(fail)
    assert (Rows.get(pk=row.pk).status, row.trail.count()) == (MessageStatus.SENDING, 0)


def test_due_excludes_postponed_messages() -> None:
    now = timezone.now()
    due = {make_message().pk, make_message(send_after=now - timedelta(seconds=1)).pk}
    make_message(send_after=now + timedelta(hours=1))
    make_message(MessageStatus.SENT)
    assert {row.pk for row in Rows.due()} == due


def test_only_old_claims_count_as_interrupted() -> None:
    now = timezone.now()
    interrupted = make_message(MessageStatus.SENDING, claimed_at=now - LONGEST_SENDING - timedelta(seconds=1))
    make_message(MessageStatus.SENDING, claimed_at=now - LONGEST_SENDING + timedelta(seconds=30))
    make_message(MessageStatus.SENT, claimed_at=now - timedelta(days=1))
    assert list(Rows.interrupted()) == [interrupted]


def test_second_automatic_message_of_an_attempt_is_rejected() -> None:
    row = make_message()
    with pytest.raises(IntegrityError), transaction.atomic():
        make_message(order=row.order)
    make_message(order=row.order, delivery_attempt=2)
    make_message(order=row.order, resend_of=row)
    for _ in range(2):  # new dates are exempt
        make_message(order=row.order, kind=MessageKind.ORDER_RESCHEDULED)


def test_str_masks_the_number() -> None:
    row = make_message(MessageStatus.SENT, order=make_quiet_order(customer=make_customer(phone="0912-345-678")))
    assert str(row).endswith("0912-***-678")


def test_every_kind_has_a_default_template() -> None:
    off = {MessageKind.DELIVERY_FAILED, MessageKind.ORDER_CANCELLED, MessageKind.ORDER_RESCHEDULED}
    assert {kind for kind in MessageKind if not MessageTemplate.of(kind).is_on} == off
    MessageTemplate.objects.create(kind=MessageKind.ORDER_CONFIRMED, is_on=False, body_zh="好")
    MessageTemplate.make_missing()
    rows = {row.kind: row for row in MessageTemplate.objects.all()}
    assert {kind for kind, row in rows.items() if not row.is_on} == off | {MessageKind.ORDER_CONFIRMED}
    assert (set(rows), rows[MessageKind.ORDER_CONFIRMED].body("zh-hant")) == (set(MessageKind), "好")


def test_wait_until_fails_if_another_process_was_faster() -> None:
    morning, row = timezone.now() + timedelta(hours=9), make_message()
    assert row.wait_until(morning)
    assert Rows.get(pk=row.pk).send_after == morning
    assert not make_message(MessageStatus.SENT).wait_until(morning)
