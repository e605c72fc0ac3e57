"""What the customer is told of, and when."""

from __future__ import annotations

from typing import Any

from waffle.models import Switch

from notifications import queue
from notifications.models import GatewayState, NotificationHistory
from notifications.sender import MOST_AT_ONCE
from notifications.sending_rules import TRUE_WHILE
from notifications.states import NEVER_REACHED_ANYBODY, Kind, Reason
from notifications.states import Status as SmsStatus
from orders.models import Order
from orders.states import Status
from web import flags

KIND_OF = {
    Status.CONFIRMED: Kind.ORDER_CONFIRMED,
    Status.DELIVERING: Kind.DRIVER_ON_THE_WAY,
    Status.ARRIVING: Kind.DRIVER_ARRIVING,
    Status.DELIVERED: Kind.ORDER_DELIVERED,
    Status.FAILED: Kind.DELIVERY_FAILED,
    Status.CANCELLED: Kind.ORDER_CANCELLED,
}


def order_saved(instance: Order, **kwargs: Any) -> None:
    """Tells the customer of a move, of an order now theirs, of a new date; a new order is pending and tells nobody."""
    if "status" in instance.before:
        moved(instance, Status(instance.before["status"]), Status(instance.status))
    elif "customer_id" in instance.before:
        corrected(instance)
    elif not instance.before.keys().isdisjoint({"scheduled_date", "time_slot"}):
        rescheduled(instance)


def moved(order: Order, before: Status, now: Status) -> None:
    if (before, now) == (Status.ARRIVING, Status.DELIVERING):
        turned_away(order)
    elif kind := KIND_OF.get(now):
        # To where it was pending an order never comes back: nothing can have been said of this before.
        queue.put(order, kind, is_first=before == Status.PENDING)


def corrected(order: Order) -> None:
    """Who is the customer now learns what the former one was told last; what fell through is no news to them.

    The driver is on the way for as long as that may take, with the link; an arrival is no news after its ten minutes.
    """
    told = Status.CONFIRMED if order.status == Status.ASSIGNED else Status(order.status)
    if told in KIND_OF and told not in (Status.FAILED, Status.CANCELLED):
        since = order.history.filter(to_status=told).values_list("at", flat=True)
        queue.put(order, KIND_OF[told], happened_at=None if told == Status.DELIVERING else since.last())


def rescheduled(order: Order) -> None:
    """Before it is confirmed a date is no promise; once the driver is at the door it is none of ours."""
    if order.status in TRUE_WHILE[Kind.ORDER_RESCHEDULED]:
        queue.put(order, Kind.ORDER_RESCHEDULED)


def turned_away(order: Order) -> None:
    """A correction for who was told, or may have been told, that the driver is arriving; nobody else is told then."""
    rows = NotificationHistory.objects.filter(order=order, customer=order.customer_id)
    said = rows.filter(kind=Kind.DRIVER_ARRIVING, delivery_attempt=order.attempt)
    # Taken back in the transaction of the move: who claims it at this moment is either earlier, or finds it gone.
    for row in said.filter(status=SmsStatus.PENDING):
        overtaken = SmsStatus.UNKNOWN if row.attempts else SmsStatus.CANCELLED
        row.move(SmsStatus.PENDING, overtaken, status_reason=Reason.OVERTAKEN)
    if said.exclude(status__in=NEVER_REACHED_ANYBODY).exists():
        queue.put(order, Kind.DRIVER_TURNED_AWAY)


def switch_saved(instance: Switch, **kwargs: Any) -> None:
    """What waited while no message was to go out goes out."""
    if instance.name == flags.SMS and instance.active:
        hand_over_due()


def on_gateway_changed(news: GatewayState.News, **kwargs: Any) -> None:
    """What waited for a gateway that was stopped goes out when it is started again."""
    if news is GatewayState.News.STARTED:
        hand_over_due()


def hand_over_due() -> None:
    """The newest, which cannot wait; `send_pending_sms --loop` finds the others by itself."""
    due = NotificationHistory.objects.due().order_by("-created_at")
    for pk in due.values_list("pk", flat=True)[:MOST_AT_ONCE]:
        queue.hand_over(pk)
