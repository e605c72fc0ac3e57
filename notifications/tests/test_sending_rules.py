from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from customers.models import Customer
from notifications import sending_rules
from notifications.models import MessageTemplate, NotificationHistory
from notifications.states import Kind, Reason, Status, Type
from notifications.tests.factories import make_message, make_quiet_order
from orders.models import Order
from orders.states import Status as OrderStatus
from orders.tests.factories import TODAY

MOBILE, LANDLINE = "+886912345678", "+886229300016"


def message(
    kind: str = Kind.ORDER_CONFIRMED, status: str = OrderStatus.CONFIRMED, **customer: Any
) -> NotificationHistory:
    order = Order(status=status, attempt=1, order_number="1234-5674", scheduled_date=TODAY)
    row = NotificationHistory(kind=kind, order=order, customer=Customer(**({"phone": MOBILE} | customer)))
    row.template = MessageTemplate(kind=kind)
    return row


@pytest.mark.parametrize(
    ("kind", "true"),
    [
        (Kind.ORDER_CONFIRMED, {OrderStatus.CONFIRMED, OrderStatus.ASSIGNED, OrderStatus.DELIVERING}),
        (Kind.DRIVER_ON_THE_WAY, {OrderStatus.DELIVERING}),
        (Kind.DRIVER_ARRIVING, {OrderStatus.ARRIVING}),
        (Kind.DRIVER_TURNED_AWAY, {OrderStatus.ASSIGNED, OrderStatus.DELIVERING}),
        (Kind.ORDER_DELIVERED, {OrderStatus.DELIVERED}),
    ],
)
def test_a_message_is_true_while(kind: str, true: set[str]) -> None:
    assert {status for status in OrderStatus if sending_rules.blocked_by(message(kind, status)) is None} == true


def test_what_is_no_longer_true_is_cancelled() -> None:
    verdict = sending_rules.blocked_by(message(Kind.DRIVER_ARRIVING, OrderStatus.DELIVERED))
    assert verdict == sending_rules.Verdict(Status.CANCELLED, Reason.OVERTAKEN)


def test_a_message_to_who_is_not_the_customer_any_more_is_overtaken() -> None:
    row = message()
    row.order.customer_id = 2  # type: ignore[union-attr]
    assert sending_rules.blocked_by(row) == sending_rules.Verdict(Status.CANCELLED, Reason.OVERTAKEN)


def test_a_message_of_an_earlier_attempt_is_overtaken() -> None:
    row = message()
    row.order.attempt = 2  # type: ignore[union-attr]
    assert sending_rules.blocked_by(row) == sending_rules.Verdict(Status.CANCELLED, Reason.OVERTAKEN)


@pytest.mark.parametrize("switch", [{"sms_opt_out": True}, {"sms_confirmed": False}])
def test_an_opt_out_suppresses(switch: dict[str, Any]) -> None:
    assert sending_rules.blocked_by(message(**switch)) == sending_rules.Verdict(Status.SUPPRESSED, Reason.OPT_OUT)


def test_the_switch_of_another_kind_does_not() -> None:
    assert sending_rules.blocked_by(message(sms_delivered=False, sms_arriving=False)) is None


@pytest.mark.parametrize("phone", ["", LANDLINE, "+886229300016;ext=29", "+8613800138000"])
def test_without_a_mobile_it_is_suppressed(phone: str) -> None:
    assert sending_rules.blocked_by(message(phone=phone)) == sending_rules.Verdict(Status.SUPPRESSED, Reason.NO_MOBILE)


def test_the_mobile_may_be_the_second_number() -> None:
    assert sending_rules.mobile_of(Customer(phone=LANDLINE, phone2=MOBILE)) == MOBILE


def test_of_two_mobiles_the_first_is_taken() -> None:
    assert sending_rules.mobile_of(Customer(phone=MOBILE, phone2="+886987654321")) == MOBILE


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_its_rules(kind: Kind) -> None:
    assert hasattr(Customer(), sending_rules.SWITCH[kind])
    assert sending_rules.TRUE_WHILE[kind]


@pytest.mark.parametrize("kind", [Kind.ORDER_CONFIRMED, Kind.ORDER_RESCHEDULED])
def test_a_day_that_is_over_is_no_promise(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NotificationHistory, "is_outdated", lambda row: False)
    row = message(kind)
    assert row.order
    row.order.scheduled_date = timezone.localdate()
    assert sending_rules.blocked_by(row) is None
    row.order.scheduled_date -= timedelta(days=1)
    assert sending_rules.blocked_by(row) == sending_rules.Verdict(Status.CANCELLED, Reason.OVERTAKEN)


@pytest.mark.parametrize(
    ("kind", "minutes"),
    [(Kind.DRIVER_ARRIVING, 10), (Kind.DRIVER_ON_THE_WAY, 30), (Kind.DRIVER_TURNED_AWAY, 30)],
)
def test_what_happened_too_long_ago_is_overtaken(kind: Kind, minutes: int) -> None:
    status = max(sending_rules.TRUE_WHILE[kind])
    row = message(kind, status)
    row.happened_at = timezone.now() - timedelta(minutes=minutes, seconds=-5)
    assert sending_rules.blocked_by(row) is None
    row.happened_at -= timedelta(seconds=10)
    assert sending_rules.blocked_by(row) == sending_rules.Verdict(Status.CANCELLED, Reason.OVERTAKEN)


def test_a_delivery_is_told_however_late() -> None:
    row = message(Kind.ORDER_DELIVERED, OrderStatus.DELIVERED)
    row.happened_at = timezone.now() - timedelta(hours=9)
    assert sending_rules.blocked_by(row) is None


def test_a_kind_that_is_switched_off_is_suppressed() -> None:
    row = message()
    row.template.is_on = False
    assert sending_rules.blocked_by(row) == sending_rules.Verdict(Status.SUPPRESSED, Reason.SWITCHED_OFF)


@pytest.mark.parametrize("switch", [{"sms_opt_out": True}, {"sms_confirmed": False}])
def test_a_person_may_overrule_our_own_rules(switch: dict[str, Any]) -> None:
    row = message(**switch)
    row.template.is_on = False
    row.overruled = True
    assert sending_rules.blocked_by(row) is None


def test_nobody_overrules_what_is_no_longer_true_or_has_no_way() -> None:
    row = message(status=OrderStatus.DELIVERED, phone=LANDLINE)
    row.overruled = True
    assert sending_rules.blocked_by(row) == sending_rules.Verdict(Status.CANCELLED, Reason.OVERTAKEN)
    row = message(phone=LANDLINE)
    row.overruled = True
    assert sending_rules.blocked_by(row) == sending_rules.Verdict(Status.SUPPRESSED, Reason.NO_MOBILE)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("請看 https://bit.ly/x", Reason.NOT_REGISTERED),
        ("電話 ０９１２－３４５－６７８", Reason.NOT_REGISTERED),
        ("瓦" * 197, Reason.TOO_LONG),
    ],
)
def test_words_that_carriers_block_are_suppressed(body: str, reason: Reason) -> None:
    row = message()
    row.template.body_zh = body
    row.overruled = True
    assert sending_rules.blocked_by(row) == sending_rules.Verdict(Status.SUPPRESSED, reason)


def test_a_link_whose_host_is_not_registered_is_suppressed(settings: Any) -> None:
    settings.SMS_LINK_HOSTS = ["lg.tw"]
    row = message(Kind.DRIVER_ON_THE_WAY, OrderStatus.DELIVERING)
    assert sending_rules.blocked_by(row) == sending_rules.Verdict(Status.SUPPRESSED, Reason.NOT_REGISTERED)


def test_without_a_mobile_an_address_will_do() -> None:
    assert sending_rules.blocked_by(message(phone=LANDLINE, email="wang@example.org")) is None
    assert sending_rules.way_to(Customer(phone=LANDLINE, email="w@example.org")) == (Type.EMAIL, "w@example.org")
    assert sending_rules.way_to(Customer(phone=MOBILE, email="w@example.org")) == (Type.SMS, MOBILE)
    assert sending_rules.way_to(Customer(phone=LANDLINE)) == (Type.SMS, "")


@pytest.mark.parametrize("kind", Kind)
def test_by_night_only_who_waits_for_the_driver_is_told(settings: Any, kind: Kind) -> None:
    settings.SMS_QUIET_HOURS = "21:00-08:00"
    row = NotificationHistory(kind=kind)
    with time_machine.travel(datetime(2026, 11, 23, 14, tzinfo=UTC), tick=False):  # 22:00 in Taipei
        waits = sending_rules.not_before(row)
    exempt = {Kind.DRIVER_ARRIVING, Kind.DRIVER_TURNED_AWAY, Kind.ORDER_DELIVERED}
    assert waits == (None if kind in exempt else datetime(2026, 11, 24, 0, tzinfo=UTC))


def test_an_email_wakes_nobody(settings: Any) -> None:
    settings.SMS_QUIET_HOURS = "00:00-23:59"
    assert sending_rules.not_before(NotificationHistory(kind=Kind.ORDER_CONFIRMED, type=Type.EMAIL)) is None


@pytest.mark.django_db
def test_what_failed_is_not_said_again_once_a_later_one_says_it() -> None:
    failed = make_message(Status.FAILED)
    failed.template = MessageTemplate(kind=failed.kind)
    assert sending_rules.blocked_by(failed) is None
    make_message(order=failed.order)
    assert sending_rules.blocked_by(failed) == sending_rules.Verdict(Status.CANCELLED, Reason.OVERTAKEN)


@pytest.mark.django_db
def test_of_two_new_dates_the_last_is_told() -> None:
    first = make_message(order=make_quiet_order(), kind=Kind.ORDER_RESCHEDULED)
    last = make_message(order=first.order, kind=Kind.ORDER_RESCHEDULED)
    first.template = last.template = MessageTemplate(kind=Kind.ORDER_RESCHEDULED)
    assert sending_rules.blocked_by(first) == sending_rules.Verdict(Status.CANCELLED, Reason.OVERTAKEN)
    assert sending_rules.blocked_by(last) is None
