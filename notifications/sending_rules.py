"""Decides whether a message may be sent now: it is still true and wanted, has a recipient, and its text is allowed.

The customer gave the number for messages about orders, and may opt out of them (Personal Data Protection Act, art. 5
and 20). Nothing here may be used for advertising.
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
from notifications.states import COMING, MessageKind, MessageStatus, MessageType, Reason
from orders.states import PROMISED, OrderStatus

# The message is true, and worth its price, while its order has one of these statuses.
TRUE_WHILE = {
    MessageKind.ORDER_CONFIRMED: PROMISED | {OrderStatus.DELIVERING},
    MessageKind.DRIVER_ON_THE_WAY: {OrderStatus.DELIVERING},
    MessageKind.DRIVER_ARRIVING: {OrderStatus.ARRIVING},
    MessageKind.DRIVER_TURNED_AWAY: {OrderStatus.ASSIGNED, OrderStatus.DELIVERING},
    MessageKind.ORDER_DELIVERED: {OrderStatus.DELIVERED},
    MessageKind.DELIVERY_FAILED: {OrderStatus.FAILED},
    MessageKind.ORDER_CANCELLED: {OrderStatus.CANCELLED},
    MessageKind.ORDER_RESCHEDULED: PROMISED | {OrderStatus.DELIVERING},
}
# A message expires this long after its event. Late reports and faults delay messages.
FRESH_FOR = {
    MessageKind.DRIVER_ARRIVING: timedelta(minutes=10),  # the text promises 10–15 minutes
    MessageKind.DRIVER_ON_THE_WAY: timedelta(minutes=30),  # the text says that the driver has just left
    MessageKind.DRIVER_TURNED_AWAY: timedelta(minutes=30),  # by then the customer has noticed
}
# These messages promise a day, and are outdated when that day is over.
PROMISES = frozenset({MessageKind.ORDER_CONFIRMED, MessageKind.ORDER_RESCHEDULED})
# Sent in quiet hours too: useful only at once, and only to customers who expect the driver at that hour.
ALSO_BY_NIGHT = frozenset({MessageKind.DRIVER_ARRIVING, MessageKind.DRIVER_TURNED_AWAY, MessageKind.ORDER_DELIVERED})
# The field of Customer that turns each kind on or off.
SWITCH = {
    MessageKind.ORDER_CONFIRMED: "sms_confirmed",
    MessageKind.DRIVER_ON_THE_WAY: "sms_on_the_way",
    MessageKind.DRIVER_ARRIVING: "sms_arriving",
    MessageKind.DRIVER_TURNED_AWAY: "sms_arriving",
    MessageKind.ORDER_DELIVERED: "sms_delivered",
    MessageKind.DELIVERY_FAILED: "sms_changes",
    MessageKind.ORDER_CANCELLED: "sms_changes",
    MessageKind.ORDER_RESCHEDULED: "sms_changes",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a message must not be sent, and the status that it gets if no try was made yet."""

    status: MessageStatus
    reason: Reason


def blocking_verdict(row: NotificationHistory) -> Verdict | None:
    """Returns why the message must not be sent; None if it may be. Skips the rules that a person overruled.

    Does not check the quiet hours (`earliest_time`).
    """
    if not is_still_true(row):
        return Verdict(MessageStatus.CANCELLED, Reason.OVERTAKEN)
    if (reason := overrulable_reason(row)) and not row.overruled:
        return Verdict(MessageStatus.SUPPRESSED, reason)
    type_, recipient = choose_recipient(row.customer)
    if not recipient:
        return Verdict(MessageStatus.SUPPRESSED, Reason.NO_MOBILE)
    # A retry keeps its text, which was checked at the first try.
    if type_ == MessageType.SMS and not row.attempts:
        reason = carrier_rules.violation(
            texts.sms(row.body, row.language, row.order), texts.strip_placeholders(row.body)
        )
        return Verdict(MessageStatus.SUPPRESSED, reason) if reason else None
    return None


def is_still_true(row: NotificationHistory) -> bool:
    """Whether the message still fits its order, customer and delivery attempt. One without an order always does."""
    order, kind = row.order, MessageKind(row.kind)
    if order is None:
        return True
    if order.status not in TRUE_WHILE[kind]:
        return False
    if (order.attempt, order.customer_id) != (row.delivery_attempt, row.customer_id):
        return False
    if (until := expiry(row)) and timezone.now() > until:
        return False
    if kind in PROMISES and order.scheduled_date < timezone.localdate():
        return False
    # Only a new date or a failed message can be followed by another message of its kind; the others need no query.
    is_unique = kind != MessageKind.ORDER_RESCHEDULED and row.status != MessageStatus.FAILED
    return is_unique or not row.is_outdated()


def expiry(row: NotificationHistory) -> datetime | None:
    """Returns when the message expires; None if it does not expire by time."""
    fresh = FRESH_FOR.get(MessageKind(row.kind))
    return row.happened_at + fresh if fresh else None


def overrulable_reason(row: NotificationHistory) -> Reason | None:
    """Returns why the office or the customer does not want the message, or None. A person may overrule it."""
    if not row.template.is_on and not takes_back_a_promise(row):
        return Reason.SWITCHED_OFF
    is_wanted = not row.customer.sms_opt_out and getattr(row.customer, SWITCH[MessageKind(row.kind)])
    return None if is_wanted else Reason.OPT_OUT


def takes_back_a_promise(row: NotificationHistory) -> bool:
    """Whether this is “delivery failed” for a customer who has, or may have, a message that the driver is coming."""
    return row.kind == MessageKind.DELIVERY_FAILED and row.customer_may_have(COMING)


def earliest_time(row: NotificationHistory) -> datetime | None:
    """Returns the end of the quiet hours if the message must wait for it; else None."""
    if row.type != MessageType.SMS or row.kind in ALSO_BY_NIGHT:
        return None
    return end_of_quiet_hours(timezone.now())


def choose_recipient(customer: Customer) -> tuple[MessageType, str]:
    """Returns the type and the recipient: a mobile number, else an e-mail address, else an empty text."""
    if not (number := mobile_of(customer)) and customer.email:
        return MessageType.EMAIL, customer.email
    return MessageType.SMS, number


def mobile_of(customer: Customer) -> str:
    """Returns the customer's first mobile number; empty if there is none."""
    return next((number for number in (customer.phone, customer.phone2) if phones.is_mobile(number)), "")


def quiet_hours() -> tuple[time, time] | None:
    """Parses SMS_QUIET_HOURS into start and end in Taipei's time; None if it is empty. Raises ValueError."""
    if not settings.SMS_QUIET_HOURS:
        return None
    start, _, end = settings.SMS_QUIET_HOURS.partition("-")
    night = _clock(start), _clock(end)
    if night[0] == night[1]:
        raise ValueError("The quiet hours must not end at the time at which they start.")
    return night


def _clock(text: str) -> time:
    return datetime.strptime(text.strip(), "%H:%M").time()  # noqa: DTZ007  (a time of day has no zone)


def end_of_quiet_hours(moment: datetime) -> datetime | None:
    """Returns when the quiet hours around `moment` end; None outside them."""
    if (night := quiet_hours()) is None:
        return None
    (start, end), local = night, timezone.localtime(moment)
    clock = local.time()
    is_night = start <= clock < end if start <= end else clock >= start or clock < end
    if not is_night:
        return None
    day = local.date() + timedelta(days=clock >= end)
    return timezone.make_aware(datetime.combine(day, end))
