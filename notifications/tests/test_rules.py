from __future__ import annotations

from typing import Any

import pytest

from notifications import rules
from notifications.models import NotificationHistory
from notifications.states import Kind, Reason, Status
from orders.models import Customer, Order
from orders.states import Status as OrderStatus

MOBILE, LANDLINE = "+886912345678", "+886229300016"


def message(
    kind: str = Kind.ORDER_CONFIRMED, status: str = OrderStatus.CONFIRMED, **customer: Any
) -> NotificationHistory:
    order = Order(status=status, attempt=1)
    return NotificationHistory(kind=kind, order=order, customer=Customer(**({"phone": MOBILE} | customer)))


@pytest.mark.parametrize(
    ("kind", "true"),
    [
        (Kind.ORDER_CONFIRMED, {OrderStatus.CONFIRMED, OrderStatus.ASSIGNED, OrderStatus.DELIVERING}),
        (Kind.DRIVER_ARRIVING, {OrderStatus.ARRIVING}),
        (Kind.ORDER_DELIVERED, {OrderStatus.DELIVERED}),
    ],
)
def test_a_message_is_true_while(kind: str, true: set[str]) -> None:
    assert {status for status in OrderStatus if rules.against(message(kind, status)) is None} == true


def test_what_is_no_longer_true_is_cancelled() -> None:
    verdict = rules.against(message(Kind.DRIVER_ARRIVING, OrderStatus.DELIVERED))
    assert verdict == rules.Verdict(Status.CANCELLED, Reason.OVERTAKEN)


def test_a_message_of_an_earlier_attempt_is_overtaken() -> None:
    row = message()
    row.order.attempt = 2  # type: ignore[union-attr]
    assert rules.against(row) == rules.Verdict(Status.CANCELLED, Reason.OVERTAKEN)


@pytest.mark.parametrize("switch", [{"sms_opt_out": True}, {"sms_confirmed": False}])
def test_an_opt_out_suppresses(switch: dict[str, Any]) -> None:
    assert rules.against(message(**switch)) == rules.Verdict(Status.SUPPRESSED, Reason.OPT_OUT)


def test_the_switch_of_another_kind_does_not() -> None:
    assert rules.against(message(sms_delivered=False, sms_arriving=False)) is None


@pytest.mark.parametrize("phone", ["", LANDLINE, "+886229300016;ext=29", "+8613800138000"])
def test_without_a_mobile_it_is_suppressed(phone: str) -> None:
    assert rules.against(message(phone=phone)) == rules.Verdict(Status.SUPPRESSED, Reason.NO_MOBILE)


def test_the_mobile_may_be_the_second_number() -> None:
    assert rules.mobile_of(Customer(phone=LANDLINE, phone2=MOBILE)) == MOBILE


def test_of_two_mobiles_the_first_is_taken() -> None:
    assert rules.mobile_of(Customer(phone=MOBILE, phone2="+886987654321")) == MOBILE


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_its_rules(kind: Kind) -> None:
    assert hasattr(Customer(), rules.SWITCH[kind])
    assert rules.TRUE_WHILE[kind]
