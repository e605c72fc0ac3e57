"""Queues messages: those that a change of an order causes, and those that a person sends again.

The row is written in the caller's transaction. The senders get it after the commit.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from waffle.models import Switch

from accounts.roles import check_right
from notifications import sender, sending_rules
from notifications.gateways import is_repeatable
from notifications.models import GatewayState, NotificationHistory
from notifications.sender import MAX_AT_ONCE
from notifications.sending_rules import TRUE_WHILE
from notifications.states import NEVER_REACHED_ANYBODY, OVERRULABLE, MessageKind, MessageStatus, Reason
from orders.models import Order
from orders.states import OrderStatus
from web import flags
from web.after_commit import once_after_commit
from web.refusals import Refusal

# A report older than this waited on a telephone without signal, so others probably follow at once.
LATE = timedelta(seconds=10)
# After a late report a message of MAY_BE_FOLLOWED waits this long, unless the telephone says earlier that it has no
# more reports.
FOLLOWS_WITHIN = timedelta(minutes=1)
# The next report may make a message of these kinds untrue.
MAY_BE_FOLLOWED = frozenset(
    {MessageKind.DRIVER_ON_THE_WAY, MessageKind.DRIVER_ARRIVING, MessageKind.DRIVER_TURNED_AWAY}
)
# Permissions: to send a message again, and to overrule the rules in OVERRULABLE.
SEND_AGAIN, OVERRULE = "notifications.resend_notificationhistory", "notifications.overrule_wish"
KIND_OF = {
    OrderStatus.CONFIRMED: MessageKind.ORDER_CONFIRMED,
    OrderStatus.DELIVERING: MessageKind.DRIVER_ON_THE_WAY,
    OrderStatus.ARRIVING: MessageKind.DRIVER_ARRIVING,
    OrderStatus.DELIVERED: MessageKind.ORDER_DELIVERED,
    OrderStatus.FAILED: MessageKind.DELIVERY_FAILED,
    OrderStatus.CANCELLED: MessageKind.ORDER_CANCELLED,
}


def enqueue(order: Order, kind: str, happened_at: datetime | None = None, *, is_first: bool = False) -> None:
    """Queues a message to the customer of `order`, once per kind and delivery attempt.

    Each new date gets a message, and a cancelled or failed message may be followed by another.

    `happened_at`: when the event happened, if this change is not the event. `is_first`: no message of this kind can
    exist yet, so one query is saved.
    """
    if kind != MessageKind.ORDER_RESCHEDULED and not is_first and was_resent(order, kind):
        return
    row = NotificationHistory(
        order=order, customer_id=order.customer_id, kind=kind, delivery_attempt=order.attempt,
        happened_at=happened_at or order.change.at, caused_by=order.change.actor.by,
    )  # fmt: skip
    if may_be_superseded(row, order.change.at):
        row.send_after = row.created_at + FOLLOWS_WITHIN
    NotificationHistory.objects.unannounced().bulk_create([row], ignore_conflicts=True)
    if row.send_after is None:
        hand_over(row.pk)


def may_be_superseded(row: NotificationHistory, reported: datetime) -> bool:
    """Whether a later report that makes the message untrue may already be on its way.

    `reported`: when somebody, usually the driver, pressed the button.
    """
    is_late = row.created_at - reported > LATE
    until = sending_rules.expiry(row)
    return is_late and row.kind in MAY_BE_FOLLOWED and (until is None or row.created_at < until)


@transaction.atomic
def end_wait_for_reports(by: User) -> int:
    """Sends the messages that wait for further reports of this user, and returns how many there were.

    Messages that wait for the morning, a busy provider or a stopped gateway stay pending.
    """
    now = timezone.now()
    waiting = NotificationHistory.objects.filter(
        status=MessageStatus.PENDING, status_reason="", attempts=0, kind__in=MAY_BE_FOLLOWED, caused_by=by,
        created_at__gt=now - FOLLOWS_WITHIN, send_after__gt=now, send_after__lte=now + FOLLOWS_WITHIN,
    )  # fmt: skip
    ids = list(waiting.order_by("created_at").values_list("pk", flat=True))
    NotificationHistory.objects.filter(pk__in=ids, status=MessageStatus.PENDING).unannounced().update(send_after=now)
    hand_over(*ids)
    return len(ids)


def was_resent(order: Order, kind: str) -> bool:
    """Whether this message was sent again and the customer has it or may get it. No constraint covers resends."""
    resends = NotificationHistory.objects.filter(
        order=order, customer=order.customer_id, kind=kind, delivery_attempt=order.attempt, resend_of__isnull=False
    )
    return resends.exclude(status__in=NEVER_REACHED_ANYBODY).exists()


def hand_over(*ids: UUID) -> None:
    """Gives rows to the senders after the commit. The caller waits once for all rows of its transaction.

    Errors of the senders are logged and do not reach the caller. The senders skip rows that were rolled back.
    """
    once_after_commit(sender.deliver, *ids)


# --- sending again: a double click must not cost a second SMS ---


def needed_permissions(*, overrule: bool) -> list[str]:
    """Returns the permissions that sending again needs."""
    return [SEND_AGAIN, OVERRULE] if overrule else [SEND_AGAIN]


def resend(row: NotificationHistory, by: User | None = None, *, overrule: bool = False) -> NotificationHistory:
    """Sends a message again. Returns the row that is sent: `row` itself, or a new one.

    Waits up to SMS_WAIT_SECONDS for the outcome. Until then the row is pending. `by`: the user whose permissions are
    checked; None: no check. `overrule`: ignores the rules that a person may break (OVERRULABLE). Raises Refusal if the
    message must not be sent or `by` lacks the permission; then nothing is sent.
    """
    if by is not None:
        check_right(by, SEND_AGAIN)
        if overrule:
            check_right(by, OVERRULE, "overrule")
    pending = prepare(row, by, overrule=overrule)
    hand_over(pending.pk)
    pending.refresh_from_db()
    return pending


def prepare(row: NotificationHistory, by: User | None = None, *, overrule: bool = False) -> NotificationHistory:
    """Returns the row to send: a new one, unless this one is pending or suppressed, or a retry with its id is safe.

    Raises Refusal if the message must not be sent. An interrupted sending becomes `unknown` and is refused, unless a
    retry is safe.
    """
    if row.status == MessageStatus.PENDING:
        return row
    if row.status == MessageStatus.SENDING:
        mark_interrupted(row)
    if row.status == MessageStatus.SUPPRESSED and overrule and row.status_reason in OVERRULABLE:
        # The message never went out. The senders check the other rules again.
        return make_pending_again(row, by, overruled=True, requested_by=by, status_reason="", send_after=None)
    if row.status in (MessageStatus.SUPPRESSED, MessageStatus.CANCELLED):
        raise refusal_for(row.status_reason)
    row.overruled = row.overruled or overrule
    if verdict := sending_rules.blocking_verdict(row):
        raise refusal_for(verdict.reason)
    if row.status == MessageStatus.UNKNOWN and is_repeatable(row):
        return make_pending_again(row, by, overruled=row.overruled, requested_by=row.requested_by or by)
    return create_resend(row, by)


def mark_interrupted(row: NotificationHistory) -> None:
    """Marks an interrupted sending as `unknown`. Raises Refusal if it is not interrupted, or if no retry is safe."""
    if not NotificationHistory.objects.interrupted().filter(pk=row.pk).exists():
        raise Refusal("being_sent", _("This message is being sent. Please wait for the outcome."), status=409)
    if not row.move(MessageStatus.SENDING, MessageStatus.UNKNOWN, status_reason=Reason.INTERRUPTED):
        raise already_resent()
    if not is_repeatable(row):
        detail = _(
            "Sending was interrupted, so the message may have arrived. Send it again only if receiving it twice "
            "does no harm."
        )
        raise Refusal("interrupted", detail, status=409)


def make_pending_again(row: NotificationHistory, by: User | None, **columns: Any) -> NotificationHistory:
    """Makes the row pending again. Raises Refusal if it was resent or another process changed it."""
    resent = NotificationHistory.objects.filter(resend_of=row).exists()
    if resent or not row.move(row.status, MessageStatus.PENDING, by=by, **columns):
        raise already_resent()
    return row


def create_resend(row: NotificationHistory, by: User | None) -> NotificationHistory:
    """Creates a new row for the same message. `resend_of` is unique: of two callers the second gets a Refusal."""
    try:
        with transaction.atomic():
            return NotificationHistory.objects.create(
                type=row.type, kind=row.kind, order=row.order, customer=row.customer,
                delivery_attempt=row.delivery_attempt, happened_at=row.happened_at, resend_of=row, requested_by=by,
                caused_by=row.caused_by, overruled=row.overruled,
            )  # fmt: skip
    except IntegrityError:
        raise already_resent() from None


def already_resent() -> Refusal:
    return Refusal(
        "already_resent", _("This message was already sent again, or has just changed. Please reload it."), status=409
    )


def refusal_for(reason: str) -> Refusal:
    detail = _("This message will not be sent: %(reason)s.") % {"reason": Reason(reason or Reason.OVERTAKEN).label}
    if reason in OVERRULABLE:
        detail = _("%(detail)s A manager or the owner can send the message anyway.") % {"detail": detail}
    return Refusal(reason or "withdrawn", detail, attr="status", status=409)


def on_order_saved(instance: Order, **kwargs: Any) -> None:
    """Queues the message for a new status, customer or date. A new order is pending and causes no message."""
    if "status" in instance.before:
        enqueue_for_status(instance, OrderStatus(instance.before["status"]), OrderStatus(instance.status))
    elif "customer_id" in instance.before:
        enqueue_for_new_customer(instance)
    elif not instance.before.keys().isdisjoint({"scheduled_date", "time_slot"}):
        enqueue_new_date(instance)


def enqueue_for_status(order: Order, before: OrderStatus, now: OrderStatus) -> None:
    if (before, now) == (OrderStatus.ARRIVING, OrderStatus.DELIVERING):
        correct_arrival(order)
    elif kind := KIND_OF.get(now):
        # No order becomes pending again, so this message cannot exist yet.
        enqueue(order, kind, is_first=before == OrderStatus.PENDING)


def enqueue_for_new_customer(order: Order) -> None:
    """Queues the message of the present status for the new customer, except for a failure or a cancellation.

    An arrival keeps its time and so expires after ten minutes. “On the way” counts as new: the link stays useful.
    """
    status = OrderStatus.CONFIRMED if order.status == OrderStatus.ASSIGNED else OrderStatus(order.status)
    if status in KIND_OF and status not in (OrderStatus.FAILED, OrderStatus.CANCELLED):
        since = order.history.filter(to_status=status).values_list("at", flat=True)
        enqueue(order, KIND_OF[status], happened_at=None if status == OrderStatus.DELIVERING else since.last())


def enqueue_new_date(order: Order) -> None:
    """Announces a new date only while the order promises one: from its confirmation until the driver arrives."""
    if order.status in TRUE_WHILE[MessageKind.ORDER_RESCHEDULED]:
        enqueue(order, MessageKind.ORDER_RESCHEDULED)


def correct_arrival(order: Order) -> None:
    """Stops a pending “driver arriving”, and queues a correction if the customer has, or may have, such a message."""
    rows = NotificationHistory.objects.filter(order=order, customer=order.customer_id)
    arrivals = rows.filter(kind=MessageKind.DRIVER_ARRIVING, delivery_attempt=order.attempt)
    # Runs in the transaction of the status change. A sender claimed the row before, or will find it no longer pending.
    for row in arrivals.filter(status=MessageStatus.PENDING):
        overtaken = MessageStatus.UNKNOWN if row.attempts else MessageStatus.CANCELLED
        row.move(MessageStatus.PENDING, overtaken, status_reason=Reason.OVERTAKEN)
    if arrivals.exclude(status__in=NEVER_REACHED_ANYBODY).exists():
        enqueue(order, MessageKind.DRIVER_TURNED_AWAY)


def on_switch_saved(instance: Switch, **kwargs: Any) -> None:
    """Sends due messages when the office turns SMS on again."""
    if instance.name == flags.SMS and instance.active:
        hand_over_due()


def on_gateway_changed(news: GatewayState.News, **kwargs: Any) -> None:
    """Sends due messages when a stopped gateway is started again."""
    if news is GatewayState.News.STARTED:
        hand_over_due()


def hand_over_due() -> None:
    """Sends the newest MAX_AT_ONCE due messages, the most urgent ones. `send_pending_sms --loop` sends the others."""
    due = NotificationHistory.objects.due().order_by("-created_at")
    for pk in due.values_list("pk", flat=True)[:MAX_AT_ONCE]:
        hand_over(pk)
