"""From a change of an order to the senders: the row is part of the transaction, the handing over comes after it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from notifications import sender, sending_rules
from notifications.models import NotificationHistory
from notifications.states import NEVER_REACHED_ANYBODY, Kind, Status
from orders.models import Order
from web.after_commit import once_after_commit

if TYPE_CHECKING:
    from django.contrib.auth.models import User

# A report that comes later than this after the press was kept by a telephone without signal: others follow it at once.
LATE = timedelta(seconds=10)
# For so long the message of a late report waits for them, unless the telephone says before that it has no more.
FOLLOWS_WITHIN = timedelta(minutes=1)
# Of these the next report may say that they are true no longer.
MAY_BE_FOLLOWED = frozenset({Kind.DRIVER_ON_THE_WAY, Kind.DRIVER_ARRIVING, Kind.DRIVER_TURNED_AWAY})


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


def all_reported(by: User) -> int:
    """This user has nothing more to report: sends what waits for what follows; returns how many messages that are.

    What waits for the night, a busy provider or a channel that is stopped goes on waiting.
    """
    now = timezone.now()
    waiting = NotificationHistory.objects.filter(
        status=Status.PENDING, status_reason="", attempts=0, kind__in=MAY_BE_FOLLOWED, caused_by=by,
        created_at__gt=now - FOLLOWS_WITHIN, send_after__gt=now, send_after__lte=now + FOLLOWS_WITHIN,
    )  # fmt: skip
    with transaction.atomic():
        ids = list(waiting.order_by("created_at").values_list("pk", flat=True))
        NotificationHistory.objects.filter(pk__in=ids, status=Status.PENDING).unannounced().update(send_after=now)
        for pk in ids:
            hand_over(pk)
    return len(ids)


def said_by_hand(order: Order, kind: str) -> bool:
    """Whether the office repeated this message, and its customer has it or may get it: no constraint sees those."""
    same = NotificationHistory.objects.filter(
        order=order, customer=order.customer_id, kind=kind, delivery_attempt=order.attempt, resend_of__isnull=False
    )
    return same.exclude(status__in=NEVER_REACHED_ANYBODY).exists()


def hand_over(row_id: UUID) -> None:
    """Gives a row to the senders when it is committed: 300 orders make the caller wait once.

    Nothing that goes wrong there fails the caller. A row that a rolled-back savepoint took away is not found.
    """
    once_after_commit(sender.deliver, row_id)
