"""Asking providers what became of messages, and what is left on their account."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from notifications import receipts, routing, sending_rules
from notifications.gateways import get_gateway
from notifications.gateways.base import STOPPING, Gateway, GatewayError, Receipt
from notifications.models import GatewayState, NotificationHistory, NotificationQuerySet
from notifications.states import Status

# Carriers report within minutes where the telephone is on; where it is off, asking often tells nothing more.
OVERDUE = timedelta(hours=1)
# What was not answered is given again after 5, 10, 20, … minutes: a provider may be silent for hours.
FIRST_PAUSE, MOST_DOUBLINGS = timedelta(minutes=5), 12


def askable() -> list[Gateway]:
    """The gateways that answer queries and have what they need, also those in use no longer."""
    made = (get_gateway(name) for name in settings.SMS_GATEWAYS)
    return [one for one in made if one.query_size and all(getattr(settings, need) for need in one.needs)]


def unsettled(gateway: Gateway, since: datetime) -> NotificationQuerySet:
    """What the provider can say more of: `sent` whose receipt is overdue; the oldest first."""
    now = timezone.now()
    due = Q(ask_after=None) | Q(ask_after__lte=now)
    overdue = NotificationHistory.objects.filter(due, status=Status.SENT, sent_at__lt=now - OVERDUE)
    rows = overdue.filter(gateway=gateway.name, created_at__gte=since)
    return rows.exclude(provider_message_id="").order_by("created_at", "id")


def unanswered(since: datetime) -> Iterator[NotificationHistory]:
    """`unknown` that may be given to its provider again now, which sends it once and says what it knows of it.

    What is no longer true is left alone: it may never have been taken, and would go out now. While its channel is
    stopped it stays unknown.
    """
    rows = NotificationHistory.objects.filter(status=Status.UNKNOWN, created_at__gte=since).not_resent()
    for row in rows.select_related("customer", "order").order_by("created_at", "id"):
        pause = FIRST_PAUSE * 2 ** min(row.attempts - 1, MOST_DOUBLINGS)
        rested = timezone.now() - (row.claimed_at or row.created_at) >= pause
        if rested and routing.ways(row) and may_go(row) and routing.repeatable(row):
            yield row


def may_go(row: NotificationHistory) -> bool:
    return not sending_rules.blocked_by(row) and not sending_rules.not_before(row)


def ask(gateway: Gateway, rows: list[NotificationHistory]) -> Iterator[tuple[NotificationHistory, bool]]:
    """Each row, now as the provider knows it, and whether that was new. Raises GatewayError."""
    for start in range(0, len(rows), gateway.query_size):
        asked = rows[start : start + gateway.query_size]
        heard = gateway.query([row.provider_message_id for row in asked])
        if heard:
            wait_longer(asked)
        for row in asked:
            yield row, any(receipts.learn(row, receipt) for receipt in heard if is_of(gateway, receipt, row))


def wait_longer(asked: list[NotificationHistory]) -> None:
    """What stays under way is asked again when twice the time has passed."""
    now = timezone.now()
    for row in asked:
        row.ask_after = now + (now - (row.sent_at or row.created_at))
    NotificationHistory.objects.unannounced().bulk_update(asked, ["ask_after"])


def is_of(gateway: Gateway, receipt: Receipt, row: NotificationHistory) -> bool:
    same_id = row.provider_message_id in gateway.spellings(receipt.provider_message_id)
    return same_id and receipt.phone in ("", row.recipient)


def ask_balance(gateway: Gateway) -> Decimal | None:
    """The points left. Raises GatewayError."""
    try:
        points = gateway.balance()
    except GatewayError as error:
        if error.reason in STOPPING:
            # Once the account is taken again, any points are more than these.
            GatewayState.objects.filter(gateway=gateway.name).update(balance=None)
        raise
    if points is not None:
        keep_balance(gateway, points)
    return points


def keep_balance(gateway: Gateway, points: Decimal) -> GatewayState:
    """A stopped channel is started by points that are not those it was stopped with: these did not suffice."""
    state, _ = GatewayState.objects.get_or_create(gateway=gateway.name)
    new = points > 0 and points != state.balance
    state.balance, state.balance_at = points, timezone.now()
    state.save(update_fields=["balance", "balance_at"])
    if new:
        state.start()
    return state
