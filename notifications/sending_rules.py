"""Whether a message may be sent now: is it still true, is it wanted, is there a way to the customer, may its words go?

Messages about an order are within the purpose the customer's number was given for (Personal Data Protection Act, art.
5 and 20), and each can be refused; nothing here may be used to advertise.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta

from django.conf import settings
from django.utils import timezone

from customers import phones
from customers.models import Customer
from notifications import carrier_rules, texts
from notifications.models import NotificationHistory
from notifications.states import COMING, Kind, Reason, Status, Type
from orders.states import PROMISED
from orders.states import Status as OrderStatus

# While the order is in one of these, the message is true and worth its price.
TRUE_WHILE = {
    Kind.ORDER_CONFIRMED: PROMISED | {OrderStatus.DELIVERING},
    Kind.DRIVER_ON_THE_WAY: {OrderStatus.DELIVERING},
    Kind.DRIVER_ARRIVING: {OrderStatus.ARRIVING},
    Kind.DRIVER_TURNED_AWAY: {OrderStatus.ASSIGNED, OrderStatus.DELIVERING},
    Kind.ORDER_DELIVERED: {OrderStatus.DELIVERED},
    Kind.DELIVERY_FAILED: {OrderStatus.FAILED},
    Kind.ORDER_CANCELLED: {OrderStatus.CANCELLED},
    Kind.ORDER_RESCHEDULED: PROMISED | {OrderStatus.DELIVERING},
}
# How long after it happened it may still be said: a telephone without signal reports late, a fault holds messages up.
FRESH_FOR = {
    Kind.DRIVER_ARRIVING: timedelta(minutes=10),  # it promises 10–15 minutes
    Kind.DRIVER_ON_THE_WAY: timedelta(minutes=30),  # “is leaving”; after that the arrival is the next news
    Kind.DRIVER_TURNED_AWAY: timedelta(minutes=30),  # who waited for so long knows
}
# What promises a day, which must not be over.
PROMISES = frozenset({Kind.ORDER_CONFIRMED, Kind.ORDER_RESCHEDULED})
# What is of use only at once, and comes only to who waits for the driver at that hour.
ALSO_BY_NIGHT = frozenset({Kind.DRIVER_ARRIVING, Kind.DRIVER_TURNED_AWAY, Kind.ORDER_DELIVERED})
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


def blocked_by(row: NotificationHistory) -> Verdict | None:
    """What speaks against sending; None: nothing does. What a person overruled does not count."""
    if not still_true(row):
        return Verdict(Status.CANCELLED, Reason.OVERTAKEN)
    if (reason := unwanted(row)) and not row.overruled:
        return Verdict(Status.SUPPRESSED, reason)
    type_, recipient = way_to(row.customer)
    if not recipient:
        return Verdict(Status.SUPPRESSED, Reason.NO_MOBILE)
    # What may have gone out before keeps its words.
    if type_ == Type.SMS and not row.attempts:
        reason = carrier_rules.violation(texts.sms(row.body, row.language, row.order), texts.typed(row.body))
        return Verdict(Status.SUPPRESSED, reason) if reason else None
    return None


def still_true(row: NotificationHistory) -> bool:
    """A message that names no order is always true; another only for the customer and delivery attempt it is about."""
    order, kind = row.order, Kind(row.kind)
    if order is None:
        return True
    if order.status not in TRUE_WHILE[kind]:
        return False
    if (order.attempt, order.customer_id) != (row.delivery_attempt, row.customer_id):
        return False
    if (until := true_until(row)) and timezone.now() > until:
        return False
    if kind in PROMISES and order.scheduled_date < timezone.localdate():
        return False
    # Of the other kinds there is a second one only after one that failed.
    said_once = kind != Kind.ORDER_RESCHEDULED and row.status != Status.FAILED
    return said_once or not row.is_outdated()


def true_until(row: NotificationHistory) -> datetime | None:
    """After which it is no longer worth saying; None: the clock alone does not end it."""
    fresh = FRESH_FOR.get(Kind(row.kind))
    return row.happened_at + fresh if fresh else None


def unwanted(row: NotificationHistory) -> Reason | None:
    if not row.template.is_on and not takes_back_a_promise(row):
        return Reason.SWITCHED_OFF
    is_wanted = not row.customer.sms_opt_out and getattr(row.customer, SWITCH[Kind(row.kind)])
    return None if is_wanted else Reason.OPT_OUT


def takes_back_a_promise(row: NotificationHistory) -> bool:
    """A failure, told to who was or may have been told that the driver comes: they wait at home for nothing."""
    return row.kind == Kind.DELIVERY_FAILED and row.was_told(COMING)


def not_before(row: NotificationHistory) -> datetime | None:
    """When the night ends that an SMS of this kind waits for; None: it need not wait."""
    if row.type != Type.SMS or row.kind in ALSO_BY_NIGHT:
        return None
    return night_ends(timezone.now())


def way_to(customer: Customer) -> tuple[Type, str]:
    """Mobile number, else e-mail address; an empty recipient where there is neither."""
    if not (number := mobile_of(customer)) and customer.email:
        return Type.EMAIL, customer.email
    return Type.SMS, number


def mobile_of(customer: Customer) -> str:
    """The first of the customer's numbers that an SMS reaches; empty where there is none."""
    return next((number for number in (customer.phone, customer.phone2) if phones.is_mobile(number)), "")


def quiet_hours() -> tuple[time, time] | None:
    """SMS_QUIET_HOURS, by Taipei's clock: from when to when; None where nothing is set. Raises ValueError."""
    if not settings.SMS_QUIET_HOURS:
        return None
    start, _, end = settings.SMS_QUIET_HOURS.partition("-")
    night = _clock(start), _clock(end)
    if night[0] == night[1]:
        raise ValueError("In this format the night is either no time at all or all of it.")
    return night


def _clock(text: str) -> time:
    return datetime.strptime(text.strip(), "%H:%M").time()  # noqa: DTZ007  (a time of day has no zone)


def night_ends(moment: datetime) -> datetime | None:
    """When the night around `moment` ends; None by day."""
    if (night := quiet_hours()) is None:
        return None
    (start, end), local = night, timezone.localtime(moment)
    clock = local.time()
    is_night = start <= clock < end if start <= end else clock >= start or clock < end
    if not is_night:
        return None
    day = local.date() + timedelta(days=clock >= end)
    return timezone.make_aware(datetime.combine(day, end))
