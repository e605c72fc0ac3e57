"""Whether a message may be sent now: is it still true, is it wanted, is there a number that an SMS reaches?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from notifications.states import Kind, Reason, Status
from orders import phones
from orders.models import Customer
from orders.states import Status as OrderStatus

if TYPE_CHECKING:
    from notifications.models import NotificationHistory

# While the order is in one of these, the message is true and worth its price.
TRUE_WHILE = {
    Kind.ORDER_CONFIRMED: {OrderStatus.CONFIRMED, OrderStatus.ASSIGNED, OrderStatus.DELIVERING},
    Kind.DRIVER_ON_THE_WAY: {OrderStatus.DELIVERING},
    Kind.DRIVER_ARRIVING: {OrderStatus.ARRIVING},
    Kind.DRIVER_TURNED_AWAY: {OrderStatus.ASSIGNED, OrderStatus.DELIVERING},
    Kind.ORDER_DELIVERED: {OrderStatus.DELIVERED},
    Kind.DELIVERY_FAILED: {OrderStatus.FAILED},
    Kind.ORDER_CANCELLED: {OrderStatus.CANCELLED},
    Kind.ORDER_RESCHEDULED: {OrderStatus.PENDING, OrderStatus.CONFIRMED, OrderStatus.ASSIGNED},
}
SWITCH = {
    Kind.ORDER_CONFIRMED: "sms_confirmed",
    Kind.DRIVER_ON_THE_WAY: "sms_on_the_way",
    Kind.DRIVER_ARRIVING: "sms_arriving",
    Kind.DRIVER_TURNED_AWAY: "sms_arriving",
    Kind.ORDER_DELIVERED: "sms_delivered",
    Kind.DELIVERY_FAILED: "sms_changes",
    Kind.ORDER_CANCELLED: "sms_changes",
    Kind.ORDER_RESCHEDULED: "sms_changes",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a message that is not sent, and why."""

    status: Status
    reason: Reason


def against(row: NotificationHistory) -> Verdict | None:
    """What speaks against sending; None: nothing does."""
    if not still_true(row):
        return Verdict(Status.CANCELLED, Reason.OVERTAKEN)
    if not row.overruled and not wanted(row.customer, row.kind):
        return Verdict(Status.SUPPRESSED, Reason.OPT_OUT)
    if not mobile_of(row.customer):
        return Verdict(Status.SUPPRESSED, Reason.NO_MOBILE)
    return None


def still_true(row: NotificationHistory) -> bool:
    """A message that names no order is always true; another only in the delivery attempt it was written for."""
    order = row.order
    if order is None:
        return True
    return order.status in TRUE_WHILE[Kind(row.kind)] and order.attempt == row.delivery_attempt


def wanted(customer: Customer, kind: str) -> bool:
    return not customer.sms_opt_out and bool(getattr(customer, SWITCH[Kind(kind)]))


def mobile_of(customer: Customer) -> str:
    """The first of the customer's numbers that an SMS reaches; empty where there is none."""
    return next((number for number in (customer.phone, customer.phone2) if phones.is_mobile(number)), "")
