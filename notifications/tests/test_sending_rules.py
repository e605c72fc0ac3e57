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


def suppressed(reason: Reason) -> sending_rules.Verdict:
    return sending_rules.Verdict(Status.SUPPRESSED, reason)


OVERTAKEN = sending_rules.Verdict(Status.CANCELLED, Reason.OVERTAKEN)
DELIVERED = (Kind.ORDER_DELIVERED, OrderStatus.DELIVERED)


@pytest.mark.parametrize(
    ("row", "changes", "verdict", "overruled"),
    [
        (message(), {}, None, None),
        (message(Kind.DRIVER_ARRIVING, OrderStatus.DELIVERED), {}, OVERTAKEN, OVERTAKEN),
        (message(), {"order.customer_id": 2}, OVERTAKEN, OVERTAKEN),
        (message(), {"order.attempt": 2}, OVERTAKEN, OVERTAKEN),
        (message(*DELIVERED), {"happened_at": timezone.now() - timedelta(hours=9)}, None, None),
        (message(sms_opt_out=True), {}, suppressed(Reason.OPT_OUT), None),
        (message(sms_confirmed=False), {}, suppressed(Reason.OPT_OUT), None),
        (message(sms_delivered=False, sms_arriving=False), {}, None, None),
        (message(), {"template.is_on": False}, suppressed(Reason.SWITCHED_OFF), None),
        *(
            (message(phone=phone), {}, suppressed(Reason.NO_MOBILE), suppressed(Reason.NO_MOBILE))
            for phone in ("", LANDLINE, "+886229300016;ext=29", "+8613800138000")
        ),
        (message(phone=LANDLINE, phone2=MOBILE), {}, None, None),
        *(
            (message(), {"template.body_zh": body}, suppressed(reason), suppressed(reason))
            for body, reason in (
                ("請看 https://bit.ly/x", Reason.NOT_REGISTERED),
                ("電話 ０９１２－３４５－６７８", Reason.NOT_REGISTERED),
                ("瓦" * 197, Reason.TOO_LONG),
            )
        ),
    ],
)  # fmt: skip
def test_what_keeps_a_message_from_being_sent_and_whether_a_person_may_overrule_it(
    row: NotificationHistory, changes: dict[str, Any], verdict: object, overruled: object
) -> None:
    for name, value in changes.items():
        *of, column = name.split(".")
        setattr(getattr(row, of[0]) if of else row, column, value)
    assert sending_rules.blocked_by(row) == verdict
    row.overruled = True
    assert sending_rules.blocked_by(row) == overruled


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
    assert sending_rules.blocked_by(row) == OVERTAKEN


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
    assert sending_rules.blocked_by(row) == OVERTAKEN


def test_a_link_whose_host_is_not_registered_is_suppressed(settings: Any) -> None:
    settings.SMS_LINK_HOSTS = ["lg.tw"]
    row = message(Kind.DRIVER_ON_THE_WAY, OrderStatus.DELIVERING)
    assert sending_rules.blocked_by(row) == suppressed(Reason.NOT_REGISTERED)


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
    assert sending_rules.blocked_by(failed) == OVERTAKEN


@pytest.mark.django_db
def test_of_two_new_dates_the_last_is_told() -> None:
    first = make_message(order=make_quiet_order(), kind=Kind.ORDER_RESCHEDULED)
    last = make_message(order=first.order, kind=Kind.ORDER_RESCHEDULED)
    first.template = last.template = MessageTemplate(kind=Kind.ORDER_RESCHEDULED)
    assert sending_rules.blocked_by(first) == OVERTAKEN
    assert sending_rules.blocked_by(last) is None
