"""Asking providers what became of messages, and what is left on their account."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.utils import timezone

from notifications import receipts, rules
from notifications.gateways import get_gateway
from notifications.gateways.base import Gateway, Receipt
from notifications.models import GatewayState, NotificationHistory, NotificationQuerySet
from notifications.routing import repeatable
from notifications.states import Status

# Carriers report within minutes where the telephone is on; where it is off, asking more often tells nothing more.
OVERDUE = timedelta(hours=1)
# What was not answered is given again after 5, 10, 20, … minutes: a provider may be silent for hours.
FIRST_PAUSE, MOST_DOUBLINGS = timedelta(minutes=5), 12


def askable() -> list[Gateway]:
    """The gateways that answer queries and have what they need, also those in use no longer."""
    made = (get_gateway(name) for name in settings.SMS_GATEWAYS)
    return [one for one in made if one.query_size and all(getattr(settings, need) for need in one.needs)]


def unsettled(gateway: Gateway, since: datetime) -> NotificationQuerySet:
    """What the provider can say more of: `sent` whose receipt is overdue; the oldest first."""
    overdue = NotificationHistory.objects.filter(status=Status.SENT, sent_at__lt=timezone.now() - OVERDUE)
    rows = overdue.filter(gateway=gateway.name, created_at__gte=since)
    return rows.exclude(provider_message_id="").order_by("created_at", "id")


def unanswered(since: datetime) -> Iterator[NotificationHistory]:
    """`unknown` that may be given to its provider again now, which sends it once and says what it knows of it.

    What is no longer true is left alone: it may never have been taken, and would go out now.
    """
    rows = NotificationHistory.objects.filter(status=Status.UNKNOWN, created_at__gte=since).not_resent()
    for row in rows.select_related("customer", "order").order_by("created_at", "id"):
        pause = FIRST_PAUSE * 2 ** min(row.attempts - 1, MOST_DOUBLINGS)
        rested = timezone.now() - (row.claimed_at or row.created_at) >= pause
        if rested and not rules.against(row) and not rules.not_before(row) and repeatable(row):
            yield row


def ask(gateway: Gateway, rows: list[NotificationHistory]) -> Iterator[tuple[NotificationHistory, bool]]:
    """Each row, now as the provider knows it, and whether that was new. Raises GatewayError."""
    for start in range(0, len(rows), gateway.query_size):
        asked = rows[start : start + gateway.query_size]
        heard = gateway.query([row.provider_message_id for row in asked])
        for row in asked:
            yield row, any(receipts.learn(row, receipt) for receipt in heard if is_of(gateway, receipt, row))


def is_of(gateway: Gateway, receipt: Receipt, row: NotificationHistory) -> bool:
    same_id = row.provider_message_id in gateway.spellings(receipt.provider_message_id)
    return same_id and receipt.phone in ("", row.recipient)


def ask_balance(gateway: Gateway) -> Decimal | None:
    """The points left; a stopped channel is started again where there are any. Raises GatewayError."""
    points = gateway.balance()
    if points is not None:
        known = {"balance": points, "balance_at": timezone.now()}
        state, _ = GatewayState.objects.update_or_create(gateway=gateway.name, defaults=known)
        if points > 0:
            state.start()
    return points
