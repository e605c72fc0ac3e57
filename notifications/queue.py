"""Messages on their way to the senders: what a change of an order owes its customer, and what a person asks for again.

The row is part of the caller's transaction, the handing over comes after the commit.
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
from notifications.gateways import repeatable
from notifications.models import GatewayState, NotificationHistory
from notifications.sender import MOST_AT_ONCE
from notifications.sending_rules import TRUE_WHILE
from notifications.states import NEVER_REACHED_ANYBODY, OVERRULABLE, Kind, Reason, Status
from orders.models import Order
from orders.states import Status as OrderStatus
from web import flags
from web.after_commit import once_after_commit
from web.refusals import Refusal

# A report that comes later than this after the press was kept by a telephone without signal: others follow it at once.
LATE = timedelta(seconds=10)
# For so long the message of a late report waits for them, unless the telephone says before that it has no more.
FOLLOWS_WITHIN = timedelta(minutes=1)
# Of these the next report may say that they are true no longer.
MAY_BE_FOLLOWED = frozenset({Kind.DRIVER_ON_THE_WAY, Kind.DRIVER_ARRIVING, Kind.DRIVER_TURNED_AWAY})
# The rights to send a message again, and to do so against our own rules.
SEND_AGAIN, OVERRULE = "notifications.resend_notificationhistory", "notifications.overrule_wish"
KIND_OF = {
    OrderStatus.CONFIRMED: Kind.ORDER_CONFIRMED,
    OrderStatus.DELIVERING: Kind.DRIVER_ON_THE_WAY,
    OrderStatus.ARRIVING: Kind.DRIVER_ARRIVING,
    OrderStatus.DELIVERED: Kind.ORDER_DELIVERED,
    OrderStatus.FAILED: Kind.DELIVERY_FAILED,
    OrderStatus.CANCELLED: Kind.ORDER_CANCELLED,
}


def put(order: Order, kind: str, happened_at: datetime | None = None, *, is_first: bool = False) -> None:
    """Owes the customer a message about `order`; the same one twice in a delivery attempt stays one.

    `happened_at`: if it was not this very change. `is_first`: there can be no message of this kind yet.
    """
    if kind != Kind.ORDER_RESCHEDULED and not is_first and said_by_hand(order, kind):
        return
    row = NotificationHistory(
        order=order, customer_id=order.customer_id, kind=kind, delivery_attempt=order.attempt,
        happened_at=happened_at or order.change.at, caused_by=order.change.actor.by,
    )  # fmt: skip
    if may_be_followed(row, order.change.at):
        row.send_after = row.created_at + FOLLOWS_WITHIN
    NotificationHistory.objects.unannounced().bulk_create([row], ignore_conflicts=True)
    if row.send_after is None:
        hand_over(row.pk)


def may_be_followed(row: NotificationHistory, reported: datetime) -> bool:
    """Whether a later report, already on its way, may make the message untrue; `reported`: when it happened."""
    is_late = row.created_at - reported > LATE
    until = sending_rules.true_until(row)
    return is_late and row.kind in MAY_BE_FOLLOWED and (until is None or row.created_at < until)


@transaction.atomic
def all_reported(by: User) -> int:
    """This user has nothing more to report: sends what waits for what follows; returns how many messages that are.

    What waits for the night, a busy provider or a channel that is stopped goes on waiting.
    """
    now = timezone.now()
    waiting = NotificationHistory.objects.filter(
        status=Status.PENDING, status_reason="", attempts=0, kind__in=MAY_BE_FOLLOWED, caused_by=by,
        created_at__gt=now - FOLLOWS_WITHIN, send_after__gt=now, send_after__lte=now + FOLLOWS_WITHIN,
    )  # fmt: skip
    ids = list(waiting.order_by("created_at").values_list("pk", flat=True))
    NotificationHistory.objects.filter(pk__in=ids, status=Status.PENDING).unannounced().update(send_after=now)
    hand_over(*ids)
    return len(ids)


def said_by_hand(order: Order, kind: str) -> bool:
    """Whether the office repeated this message, and its customer has it or may get it: no constraint sees those."""
    same = NotificationHistory.objects.filter(
        order=order, customer=order.customer_id, kind=kind, delivery_attempt=order.attempt, resend_of__isnull=False
    )
    return same.exclude(status__in=NEVER_REACHED_ANYBODY).exists()


def hand_over(*ids: UUID) -> None:
    """Gives rows to the senders when they are committed: 300 orders make the caller wait once.

    Nothing that goes wrong there fails the caller. A row that a rolled-back savepoint took away is not found.
    """
    once_after_commit(sender.deliver, *ids)


# --- sending again: no haste and no double click costs a second SMS ---


def asked(*, overrule: bool) -> list[str]:
    """The rights that sending again needs."""
    return [SEND_AGAIN, OVERRULE] if overrule else [SEND_AGAIN]


def resend(row: NotificationHistory, by: User | None = None, *, overrule: bool = False) -> NotificationHistory:
    """Sends a message again and returns the row that stands for it, with its outcome if that came in time.

    `overrule`: also against those of our own rules that a person may break (OVERRULABLE). Raises Refusal, and then
    sends nothing; also where `by` has not the right.
    """
    if by is not None:
        check_right(by, SEND_AGAIN)
        if overrule:
            check_right(by, OVERRULE, "overrule")
    owed = prepare(row, by, overrule=overrule)
    hand_over(owed.pk)
    owed.refresh_from_db()
    return owed


def prepare(row: NotificationHistory, by: User | None = None, *, overrule: bool = False) -> NotificationHistory:
    """The row to hand to the senders: the same where its id keeps it from being sent twice, else a new one.

    Raises Refusal. A sending that died is then `unknown`, unless it can be repeated safely.
    """
    if row.status == Status.PENDING:
        return row
    if row.status == Status.SENDING:
        settle(row)
    if row.status == Status.SUPPRESSED and overrule and row.status_reason in OVERRULABLE:
        # It never went out. The senders ask the other rules anew.
        return same(row, by, overruled=True, requested_by=by, status_reason="", send_after=None)
    if row.status in (Status.SUPPRESSED, Status.CANCELLED):
        raise not_sent(row.status_reason)
    row.overruled = row.overruled or overrule
    if verdict := sending_rules.blocked_by(row):
        raise not_sent(verdict.reason)
    if row.status == Status.UNKNOWN and repeatable(row):
        return same(row, by, overruled=row.overruled, requested_by=row.requested_by or by)
    return renewed(row, by)


def settle(row: NotificationHistory) -> None:
    """Ends a sending that died; goes on only where repeating it is safe."""
    if not NotificationHistory.objects.interrupted().filter(pk=row.pk).exists():
        raise Refusal("being_sent", _("This message is being sent. Please wait for the outcome."), status=409)
    if not row.move(Status.SENDING, Status.UNKNOWN, status_reason=Reason.INTERRUPTED):
        raise taken()
    if not repeatable(row):
        detail = _(
            "Sending was interrupted, so the SMS may have arrived. Send it again only if receiving it twice "
            "does no harm."
        )
        raise Refusal("interrupted", detail, status=409)


def same(row: NotificationHistory, by: User | None, **columns: Any) -> NotificationHistory:
    """The row itself, waiting again."""
    resent = NotificationHistory.objects.filter(resend_of=row).exists()
    if resent or not row.move(row.status, Status.PENDING, by=by, **columns):
        raise taken()
    return row


def renewed(row: NotificationHistory, by: User | None) -> NotificationHistory:
    """A new row for the same message; the unique link lets only one of two callers make it."""
    try:
        with transaction.atomic():
            return NotificationHistory.objects.create(
                type=row.type, kind=row.kind, order=row.order, customer=row.customer,
                delivery_attempt=row.delivery_attempt, happened_at=row.happened_at, resend_of=row, requested_by=by,
                caused_by=row.caused_by, overruled=row.overruled,
            )  # fmt: skip
    except IntegrityError:
        raise taken() from None


def taken() -> Refusal:
    return Refusal("already_resent", _("This message was already sent again. See the newer one."), status=409)


def not_sent(reason: str) -> Refusal:
    detail = _("This message is not sent: %(reason)s.") % {"reason": Reason(reason).label if reason else ""}
    if reason in OVERRULABLE:
        detail = _("%(said)s You can send it anyway.") % {"said": detail}
    return Refusal(reason or "withdrawn", detail, attr="status", status=409)


def order_saved(instance: Order, **kwargs: Any) -> None:
    """Tells the customer of a move, of an order now theirs, of a new date; a new order is pending and tells nobody."""
    if "status" in instance.before:
        moved(instance, OrderStatus(instance.before["status"]), OrderStatus(instance.status))
    elif "customer_id" in instance.before:
        corrected(instance)
    elif not instance.before.keys().isdisjoint({"scheduled_date", "time_slot"}):
        rescheduled(instance)


def moved(order: Order, before: OrderStatus, now: OrderStatus) -> None:
    if (before, now) == (OrderStatus.ARRIVING, OrderStatus.DELIVERING):
        turned_away(order)
    elif kind := KIND_OF.get(now):
        # To where it was pending an order never comes back: nothing can have been said of this before.
        put(order, kind, is_first=before == OrderStatus.PENDING)


def corrected(order: Order) -> None:
    """Who is the customer now learns what the former one was told last; what fell through is no news to them.

    The driver is on the way for as long as that may take, with the link; an arrival is no news after its ten minutes.
    """
    told = OrderStatus.CONFIRMED if order.status == OrderStatus.ASSIGNED else OrderStatus(order.status)
    if told in KIND_OF and told not in (OrderStatus.FAILED, OrderStatus.CANCELLED):
        since = order.history.filter(to_status=told).values_list("at", flat=True)
        put(order, KIND_OF[told], happened_at=None if told == OrderStatus.DELIVERING else since.last())


def rescheduled(order: Order) -> None:
    """Before it is confirmed a date is no promise; once the driver is at the door it is none of ours."""
    if order.status in TRUE_WHILE[Kind.ORDER_RESCHEDULED]:
        put(order, Kind.ORDER_RESCHEDULED)


def turned_away(order: Order) -> None:
    """A correction for who was told, or may have been told, that the driver is arriving; nobody else is told then."""
    rows = NotificationHistory.objects.filter(order=order, customer=order.customer_id)
    said = rows.filter(kind=Kind.DRIVER_ARRIVING, delivery_attempt=order.attempt)
    # Taken back in the transaction of the move: who claims it at this moment is either earlier, or finds it gone.
    for row in said.filter(status=Status.PENDING):
        overtaken = Status.UNKNOWN if row.attempts else Status.CANCELLED
        row.move(Status.PENDING, overtaken, status_reason=Reason.OVERTAKEN)
    if said.exclude(status__in=NEVER_REACHED_ANYBODY).exists():
        put(order, Kind.DRIVER_TURNED_AWAY)


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
        hand_over(pk)
