"""From a change of an order to the senders: the row is part of the transaction, the handing over comes after it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import connection, transaction

from notifications import sender
from notifications.models import NotificationHistory
from notifications.states import NEVER_REACHED_ANYBODY, Kind
from orders.models import Order


class HandOver:
    """Delivers once after the commit with the rows of the transaction: 300 orders make the caller wait once.

    A row that a rolled-back savepoint took away is simply not found by the sender.
    """

    def __init__(self) -> None:
        self.ids: list[UUID] = []

    def deliver(self) -> None:
        sender.deliver(self.ids)


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
    NotificationHistory.objects.bulk_create([row], ignore_conflicts=True)
    hand_over(row.pk)


def said_by_hand(order: Order, kind: str) -> bool:
    """Whether the office repeated this message, and its customer has it or may get it: no constraint sees those."""
    same = NotificationHistory.objects.filter(
        order=order, customer=order.customer_id, kind=kind, delivery_attempt=order.attempt, resend_of__isnull=False
    )
    return same.exclude(status__in=NEVER_REACHED_ANYBODY).exists()


def hand_over(row_id: UUID) -> None:
    """Gives a row to the senders when it is committed. Nothing that goes wrong there fails the caller."""
    registered = (getattr(call, "__self__", None) for _, call, *_ in connection.run_on_commit)
    if waiting := next((found for found in registered if isinstance(found, HandOver)), None):
        waiting.ids.append(row_id)
        return
    waiting = HandOver()
    waiting.ids.append(row_id)
    transaction.on_commit(waiting.deliver, robust=True)
