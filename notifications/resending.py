"""Sending again: what a person or `resend_sms` asks for, so that no haste and no double click costs a second SMS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from notifications import queue, rules
from notifications.gateways import get_gateway
from notifications.models import NotificationHistory
from notifications.states import Reason, Status
from orders.refusals import Refusal

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def resend(row: NotificationHistory, by: User | None = None) -> NotificationHistory:
    """Sends a message again and returns the row that stands for it, with its outcome if that came in time.

    Raises Refusal, and then sends nothing.
    """
    owed = prepare(row, by)
    queue.hand_over(owed.pk)
    owed.refresh_from_db()
    return owed


def prepare(row: NotificationHistory, by: User | None = None) -> NotificationHistory:
    """The row to hand to the senders: the same where its id keeps it from being sent twice, else a new one.

    Raises Refusal. A sending that died is then `unknown`, unless it can be repeated safely.
    """
    if row.status == Status.PENDING:
        return row
    if row.status == Status.SENDING:
        settle(row)
    if row.status in (Status.SUPPRESSED, Status.CANCELLED):
        raise not_sent(row.status_reason)
    if verdict := rules.against(row):
        raise not_sent(verdict.reason)
    if row.status == Status.UNKNOWN and repeatable(row):
        return again(row)
    return renewed(row, by)


def settle(row: NotificationHistory) -> None:
    """Ends a sending that died; goes on only where repeating it is safe."""
    if not NotificationHistory.objects.interrupted().filter(pk=row.pk).exists():
        raise Refusal("being_sent", _("This message is being sent; wait for its outcome."), status=409)
    if not row.move(Status.SENDING, Status.UNKNOWN, status_reason=Reason.INTERRUPTED):
        raise taken()
    if not repeatable(row):
        detail = _("The sending was interrupted, and the message may have gone out. Send it again if twice is no harm.")
        raise Refusal("interrupted", detail, status=409)


def repeatable(row: NotificationHistory) -> bool:
    """Whether the provider that may have it sends it only once under the same id."""
    gateway = get_gateway()
    return gateway.idempotent and gateway.name == row.gateway


def again(row: NotificationHistory) -> NotificationHistory:
    if NotificationHistory.objects.filter(resend_of=row).exists() or not row.move(Status.UNKNOWN, Status.PENDING):
        raise taken()
    return row


def renewed(row: NotificationHistory, by: User | None) -> NotificationHistory:
    """A new row for the same message; the unique link lets only one of two callers make it."""
    try:
        with transaction.atomic():
            return NotificationHistory.objects.create(
                type=row.type, kind=row.kind, order=row.order, customer=row.customer,
                delivery_attempt=row.delivery_attempt, happened_at=row.happened_at, resend_of=row, requested_by=by,
            )  # fmt: skip
    except IntegrityError:
        raise taken() from None


def taken() -> Refusal:
    return Refusal("already_resent", _("This message was sent again already; see the newer one."), status=409)


def not_sent(reason: str) -> Refusal:
    detail = _("This message is not sent: %(reason)s.") % {"reason": Reason(reason).label if reason else ""}
    return Refusal(reason or "withdrawn", detail, attr="status", status=409)
