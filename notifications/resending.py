"""Sending again: what a person or `resend_sms` asks for, so that no haste and no double click costs a second SMS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from accounts.roles import check_right
from notifications import queue, sending_rules
from notifications.models import NotificationHistory
from notifications.routing import repeatable
from notifications.states import OVERRULABLE, Reason, Status
from web.refusals import Refusal

if TYPE_CHECKING:
    from django.contrib.auth.models import User


SEND_AGAIN, OVERRULE = "notifications.resend_notificationhistory", "notifications.overrule_wish"


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
    queue.hand_over(owed.pk)
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
    if row.status == Status.SUPPRESSED and overrule:
        return overruled(row, by)
    if row.status in (Status.SUPPRESSED, Status.CANCELLED):
        raise not_sent(row.status_reason)
    row.overruled = row.overruled or overrule
    if verdict := sending_rules.blocked_by(row):
        raise not_sent(verdict.reason)
    if row.status == Status.UNKNOWN and repeatable(row):
        return again(row, by)
    return renewed(row, by)


def overruled(row: NotificationHistory, by: User | None) -> NotificationHistory:
    """The same row, to be sent after all; it never went out. The senders ask the other rules anew."""
    if row.status_reason not in OVERRULABLE:
        raise not_sent(row.status_reason)
    columns = {"overruled": True, "requested_by": by, "status_reason": "", "send_after": None}
    if not row.move(Status.SUPPRESSED, Status.PENDING, by=by, **columns):
        raise taken()
    return row


def settle(row: NotificationHistory) -> None:
    """Ends a sending that died; goes on only where repeating it is safe."""
    if not NotificationHistory.objects.interrupted().filter(pk=row.pk).exists():
        raise Refusal("being_sent", _("This message is being sent; wait for its outcome."), status=409)
    if not row.move(Status.SENDING, Status.UNKNOWN, status_reason=Reason.INTERRUPTED):
        raise taken()
    if not repeatable(row):
        detail = _("The sending was interrupted, and the message may have gone out. Send it again if twice is no harm.")
        raise Refusal("interrupted", detail, status=409)


def again(row: NotificationHistory, by: User | None) -> NotificationHistory:
    columns = {"overruled": row.overruled, "requested_by": row.requested_by or by}
    resent = NotificationHistory.objects.filter(resend_of=row).exists()
    if resent or not row.move(Status.UNKNOWN, Status.PENDING, by=by, **columns):
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
    return Refusal("already_resent", _("This message was sent again already; see the newer one."), status=409)


def not_sent(reason: str) -> Refusal:
    detail = _("This message is not sent: %(reason)s.") % {"reason": Reason(reason).label if reason else ""}
    if reason in OVERRULABLE:
        detail = _("%(said)s A person may overrule that.") % {"said": detail}
    return Refusal(reason or "withdrawn", detail, attr="status", status=409)
