from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.core.management import call_command
from django.utils import timezone

from customers.models import Customer
from notifications import sender, sending_rules
from notifications.gateways.local import Memory
from notifications.management.commands.send_pending_sms import Service
from notifications.models import MessageTemplate, NotificationHistory
from notifications.states import MessageKind, MessageStatus, MessageType, Reason
from notifications.tests.factories import make_message, make_quiet_order
from notifications.tests.test_sender import confirm
from notifications.timeline import next_step
from orders.models import Order
from orders.states import OrderStatus
from orders.tests.factories import TODAY, make_order, set_switch
from web import flags

MOBILE, LANDLINE = "+886912345678", "+886229300016"


def message(
    kind: str = MessageKind.ORDER_CONFIRMED, status: str = OrderStatus.CONFIRMED, **customer: Any
) -> NotificationHistory:
    order = Order(status=status, attempt=1, order_number="1234-5674", scheduled_date=TODAY)
    row = NotificationHistory(kind=kind, order=order, customer=Customer(**({"phone": MOBILE} | customer)))
    row.template = MessageTemplate(kind=kind)
    return row


@pytest.mark.parametrize(
    ("kind", "statuses"),
    [
        (MessageKind.ORDER_CONFIRMED, {OrderStatus.CONFIRMED, OrderStatus.ASSIGNED, OrderStatus.DELIVERING}),
        (MessageKind.DRIVER_ON_THE_WAY, {OrderStatus.DELIVERING}),
        (MessageKind.DRIVER_ARRIVING, {OrderStatus.ARRIVING}),
        (MessageKind.DRIVER_TURNED_AWAY, {OrderStatus.ASSIGNED, OrderStatus.DELIVERING}),
        (MessageKind.ORDER_DELIVERED, {OrderStatus.DELIVERED}),
    ],
)
def test_message_is_sent_only_in_some_statuses_of_its_order(kind: str, statuses: set[str]) -> None:
    assert {
        status for status in OrderStatus if sending_rules.blocking_verdict(message(kind, status)) is None
    } == statuses


def suppressed_verdict(reason: Reason) -> sending_rules.Verdict:
    return sending_rules.Verdict(MessageStatus.SUPPRESSED, reason)


OVERTAKEN = sending_rules.Verdict(MessageStatus.CANCELLED, Reason.OVERTAKEN)
DELIVERED = (MessageKind.ORDER_DELIVERED, OrderStatus.DELIVERED)


@pytest.mark.parametrize(
    ("row", "changes", "verdict", "overruled"),
    [
        (message(), {}, None, None),
        (message(MessageKind.DRIVER_ARRIVING, OrderStatus.DELIVERED), {}, OVERTAKEN, OVERTAKEN),
        (message(), {"order.customer_id": 2}, OVERTAKEN, OVERTAKEN),
        (message(), {"order.attempt": 2}, OVERTAKEN, OVERTAKEN),
        (message(*DELIVERED), {"happened_at": timezone.now() - timedelta(hours=9)}, None, None),
        (message(sms_opt_out=True), {}, suppressed_verdict(Reason.OPT_OUT), None),
        (message(sms_confirmed=False), {}, suppressed_verdict(Reason.OPT_OUT), None),
        (message(sms_delivered=False, sms_arriving=False), {}, None, None),
        (message(), {"template.is_on": False}, suppressed_verdict(Reason.SWITCHED_OFF), None),
        *(
            (message(phone=phone), {}, suppressed_verdict(Reason.NO_MOBILE), suppressed_verdict(Reason.NO_MOBILE))
            for phone in ("", LANDLINE, "+886229300016;ext=29", "+8613800138000")
        ),
        (message(phone=LANDLINE, phone2=MOBILE), {}, None, None),
        *(
            (message(), {"template.body_zh": body}, suppressed_verdict(reason), suppressed_verdict(reason))
            for body, reason in (
                ("請看 https://bit.ly/x", Reason.NOT_REGISTERED),
                ("電話 ０９１２－３４５－６７８", Reason.NOT_REGISTERED),
                ("瓦" * 197, Reason.TOO_LONG),
            )
        ),
    ],
)  # fmt: skip
def test_rules_block_messages_and_some_can_be_overruled(
    row: NotificationHistory, changes: dict[str, Any], verdict: object, overruled: object
) -> None:
    for name, value in changes.items():
        *path, column = name.split(".")
        setattr(getattr(row, path[0]) if path else row, column, value)
    assert sending_rules.blocking_verdict(row) == verdict
    row.overruled = True
    assert sending_rules.blocking_verdict(row) == overruled


def test_first_mobile_is_the_recipient() -> None:
    assert sending_rules.mobile_of(Customer(phone=MOBILE, phone2="+886987654321")) == MOBILE


@pytest.mark.parametrize("kind", MessageKind)
def test_every_kind_has_a_switch_and_statuses(kind: MessageKind) -> None:
    assert hasattr(Customer(), sending_rules.SWITCH[kind])
    assert sending_rules.TRUE_WHILE[kind]


@pytest.mark.parametrize("kind", [MessageKind.ORDER_CONFIRMED, MessageKind.ORDER_RESCHEDULED])
def test_message_about_a_past_day_is_outdated(kind: MessageKind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NotificationHistory, "is_outdated", lambda row: False)
    row = message(kind)
    assert row.order
    row.order.scheduled_date = timezone.localdate()
    assert sending_rules.blocking_verdict(row) is None
    row.order.scheduled_date -= timedelta(days=1)
    assert sending_rules.blocking_verdict(row) == OVERTAKEN


@pytest.mark.parametrize(
    ("kind", "minutes"),
    [(MessageKind.DRIVER_ARRIVING, 10), (MessageKind.DRIVER_ON_THE_WAY, 30), (MessageKind.DRIVER_TURNED_AWAY, 30)],
)
def test_message_about_an_old_event_is_outdated(kind: MessageKind, minutes: int) -> None:
    status = max(sending_rules.TRUE_WHILE[kind])
    row = message(kind, status)
    row.happened_at = timezone.now() - timedelta(minutes=minutes, seconds=-5)
    assert sending_rules.blocking_verdict(row) is None
    row.happened_at -= timedelta(seconds=10)
    assert sending_rules.blocking_verdict(row) == OVERTAKEN


def test_message_with_unregistered_link_is_suppressed(settings: Any) -> None:
    settings.SMS_LINK_HOSTS = ["lg.tw"]
    row = message(MessageKind.DRIVER_ON_THE_WAY, OrderStatus.DELIVERING)
    assert sending_rules.blocking_verdict(row) == suppressed_verdict(Reason.NOT_REGISTERED)


def test_email_is_used_without_a_mobile() -> None:
    assert sending_rules.blocking_verdict(message(phone=LANDLINE, email="wang@example.org")) is None
    assert sending_rules.choose_recipient(Customer(phone=LANDLINE, email="w@example.org")) == (
        MessageType.EMAIL,
        "w@example.org",
    )
    assert sending_rules.choose_recipient(Customer(phone=MOBILE, email="w@example.org")) == (MessageType.SMS, MOBILE)
    assert sending_rules.choose_recipient(Customer(phone=LANDLINE)) == (MessageType.SMS, "")


@pytest.mark.parametrize("kind", MessageKind)
def test_quiet_hours_delay_all_but_arrival_turn_away_and_delivery(settings: Any, kind: MessageKind) -> None:
    settings.SMS_QUIET_HOURS = "21:00-08:00"
    row = NotificationHistory(kind=kind)
    with time_machine.travel(datetime(2026, 11, 23, 14, tzinfo=UTC), tick=False):  # 22:00 in Taipei
        waits = sending_rules.earliest_time(row)
    exempt = {MessageKind.DRIVER_ARRIVING, MessageKind.DRIVER_TURNED_AWAY, MessageKind.ORDER_DELIVERED}
    assert waits == (None if kind in exempt else datetime(2026, 11, 24, 0, tzinfo=UTC))


def test_email_ignores_quiet_hours(settings: Any) -> None:
    settings.SMS_QUIET_HOURS = "00:00-23:59"
    assert (
        sending_rules.earliest_time(NotificationHistory(kind=MessageKind.ORDER_CONFIRMED, type=MessageType.EMAIL))
        is None
    )


@pytest.mark.django_db
def test_failed_message_is_outdated_by_a_later_one() -> None:
    failed = make_message(MessageStatus.FAILED)
    failed.template = MessageTemplate(kind=failed.kind)
    assert sending_rules.blocking_verdict(failed) is None
    make_message(order=failed.order)
    assert sending_rules.blocking_verdict(failed) == OVERTAKEN


@pytest.mark.django_db
def test_only_the_last_new_date_is_sent() -> None:
    first = make_message(order=make_quiet_order(), kind=MessageKind.ORDER_RESCHEDULED)
    last = make_message(order=first.order, kind=MessageKind.ORDER_RESCHEDULED)
    first.template = last.template = MessageTemplate(kind=MessageKind.ORDER_RESCHEDULED)
    assert sending_rules.blocking_verdict(first) == OVERTAKEN
    assert sending_rules.blocking_verdict(last) is None


TAIPEI = ZoneInfo("Asia/Taipei")


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=TAIPEI)


@pytest.mark.parametrize(
    ("hours", "moment", "ends"),
    [
        ("21:00-08:00", at(23, 20, 59), None),
        ("21:00-08:00", at(23, 21), at(24, 8)),
        ("21:00-08:00", at(24, 0), at(24, 8)),
        ("21:00-08:00", at(24, 7, 59), at(24, 8)),
        ("21:00-08:00", at(24, 8), None),
        ("12:00-13:30", at(23, 12, 30), at(23, 13, 30)),
        ("12:00-13:30", at(23, 13, 30), None),
        ("00:00-06:00", at(23, 0), at(23, 6)),
        ("", at(23, 3), None),
    ],
)
def test_quiet_hours_end_at_the_configured_time(
    settings: Any, hours: str, moment: datetime, ends: datetime | None
) -> None:
    settings.SMS_QUIET_HOURS = hours
    assert sending_rules.end_of_quiet_hours(moment) == ends


@pytest.mark.parametrize("hours", ["21:00", "night", "25:00-08:00", "21:00-08:00-09:00", "08:00-08:00"])
def test_invalid_quiet_hours_raise(settings: Any, hours: str) -> None:
    settings.SMS_QUIET_HOURS = hours
    with pytest.raises(ValueError, match="format|unconverted|quiet hours"):
        sending_rules.quiet_hours()


@pytest.mark.django_db(transaction=True)
def test_message_waits_for_end_of_quiet_hours(settings: Any) -> None:
    settings.SMS_QUIET_HOURS = "21:00-08:00"
    with time_machine.travel(at(23, 22, 30), tick=False):
        order = make_order()
        order.transition_to(OrderStatus.CONFIRMED)
    row = NotificationHistory.objects.get(order=order)
    assert (row.status, row.attempts, row.send_after, Memory.outbox) == ("pending", 0, at(24, 8), [])
    with time_machine.travel(at(24, 8), tick=False):
        sender.deliver_one(row.pk)
    assert len(Memory.outbox) == 1


@pytest.mark.django_db(transaction=True)
def test_arrival_message_ignores_quiet_hours(settings: Any) -> None:
    settings.SMS_QUIET_HOURS = "21:00-08:00"
    with time_machine.travel(at(23, 22, 30), tick=False):
        make_quiet_order(OrderStatus.DELIVERING).transition_to(OrderStatus.ARRIVING)
    assert len(Memory.outbox) == 1


# While the switch `sms_notifications` is off, messages wait. When it is on again, those that are still true are sent.


@pytest.fixture
def _switched_off(all_switches_on: None, transactional_db: None) -> None:
    Memory.outbox.clear()
    set_switch(flags.SMS, False)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_switched_off")
def test_messages_wait_until_sms_are_switched_on() -> None:
    rows = [confirm(phone="0912-345-678"), confirm(phone="", email="w@example.tw")]
    assert ([row.status for row in rows], Memory.outbox) == ([MessageStatus.PENDING] * 2, [])
    set_switch(flags.SMS, True)
    for row in rows:
        row.refresh_from_db()
    assert ([row.status for row in rows], len(Memory.outbox)) == ([MessageStatus.SENT] * 2, 1)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_switched_off")
def test_outdated_messages_are_not_sent_after_switching_on() -> None:
    row = confirm()
    assert row.order is not None
    Order.objects.get(pk=row.order.pk).transition_to(OrderStatus.CANCELLED, reason="x")
    set_switch(flags.SMS, True)
    row.refresh_from_db()
    assert (row.status, row.status_reason, Memory.outbox) == (MessageStatus.CANCELLED, Reason.OVERTAKEN, [])


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_switched_off")
def test_waiting_message_shows_reason(settings: Any) -> None:
    settings.LANGUAGE_CODE = "en"
    assert next_step(confirm()).sentence == "Waiting until messages are turned on again."


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("_switched_off")
@pytest.mark.parametrize("arguments", [[], ["--limit", "1"]])
def test_command_sends_nothing_while_switched_off(arguments: list[str]) -> None:
    make_message()
    call_command("send_pending_sms", *arguments)
    assert Service(threading.Event(), 10).round() == 0
    assert (NotificationHistory.objects.get().status, Memory.outbox) == (MessageStatus.PENDING, [])
