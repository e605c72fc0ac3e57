"""Records what providers report on messages and on the account, by callbacks and by queries. Never sends a message.

A receipt may overtake the answer to its sending. No row has its id yet, so it is refused, and the provider repeats it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from notifications import gateways, sending_rules
from notifications.gateways import get_gateway
from notifications.gateways.base import STOPPING, Gateway, GatewayError, Receipt, Reply
from notifications.models import GatewayState, NotificationHistory, NotificationQuerySet, StatusNote, reply_received
from notifications.states import GOOD_NEWS, LONGEST_CODE, LONGEST_REPLY, MOVES, MessageStatus
from web.refusals import Refusal

Row = NotificationHistory
# Carriers report within minutes while the telephone is on. While it is off, frequent queries bring nothing.
OVERDUE = timedelta(hours=1)
# Sendings without an answer are retried after 5, 10, 20, … minutes: a provider may be down for hours.
FIRST_PAUSE, MAX_DOUBLINGS = timedelta(minutes=5), 12


def record(gateway: Gateway, heard: Receipt | Reply, named: UUID | None = None) -> None:
    """Records a receipt or a reply. Idempotent. Raises Refusal, and then changes nothing.

    `named`: our own id of the message, if the provider was given it.
    """
    row = find_message(gateway, heard, named)
    if isinstance(heard, Reply):
        record_reply(row, heard)
    else:
        apply_receipt(row, heard)
    GatewayState.of(gateway.name)
    GatewayState.objects.filter(gateway=gateway.name).update(last_receipt_at=timezone.now())


def find_message(gateway: Gateway, heard: Receipt | Reply, named: UUID | None) -> Row:
    """Finds the message with this id and number; the latest, because a provider may reuse ids. Raises Refusal.

    A message whose sending got no answer has no provider's id: our own id finds it.
    """
    ids = gateway.id_variants(heard.provider_message_id)
    silent = Q(status=MessageStatus.UNKNOWN) | Q(status=MessageStatus.PENDING, attempts__gt=0)
    meant = Q(provider_message_id__in=ids) | (Q(pk=named) & silent)
    rows = list(Row.objects.filter(meant, gateway=gateway.name).order_by("-created_at")[:10])
    if not heard.provider_message_id or not rows:
        raise Refusal("unknown_message", _("There is no message with this id. Please check it."), status=404)
    for row in rows:
        if row.recipient == heard.phone:
            return row
    raise Refusal("other_number", _("This message went to another number."), status=400)


def apply_receipt(row: Row, heard: Receipt) -> bool:
    """Applies a receipt to its message. False: the status is not new, or the present one is final."""
    if heard.status is None:
        record_unknown_code(row, heard)
        return False
    columns: dict[str, Any] = {"status_reason": heard.reason, "raw_status": heard.raw_status[:LONGEST_CODE]}
    if not row.provider_message_id:
        columns["provider_message_id"] = heard.provider_message_id
    if heard.status in GOOD_NEWS:
        columns |= {"sent_at": row.sent_at or row.claimed_at, "error_message": ""}
    if heard.status == MessageStatus.DELIVERED:
        columns["delivered_at"] = plausible_time(row, heard.at) or timezone.now()
    while heard.status in MOVES[row.status]:
        if row.move(row.status, heard.status, **columns):
            return True
        row.refresh_from_db()
    return False


def plausible_time(row: Row, at: datetime | None) -> datetime | None:
    """Returns the provider's time, or None if it lies before the sending or in the future.

    Providers round to whole seconds.
    """
    first = row.first_sent_at().replace(microsecond=0)
    return at if at and first <= at <= timezone.now() else None


def record_unknown_code(row: Row, heard: Receipt) -> None:
    """Adds an unknown code to the message's trail. The status stays."""
    note = StatusNote(
        message=row,
        status=row.status,
        reason=heard.reason,
        raw_status=heard.raw_status[:LONGEST_CODE],
        gateway=row.gateway,
    )
    save_note_once(note, StatusNote.objects.filter(message=row, reason=note.reason, raw_status=note.raw_status))


def record_reply(row: Row, heard: Reply) -> None:
    """Adds a customer's reply to the message's trail."""
    text = " ".join("".join(letter if letter.isprintable() else " " for letter in heard.text).split())[:LONGEST_REPLY]
    at = plausible_time(row, heard.at)
    note = StatusNote(message=row, status=row.status, reply=text or "–", at=at or timezone.now())
    same = StatusNote.objects.filter(message=row, reply=note.reply)
    with transaction.atomic():
        if save_note_once(note, same.filter(at=at) if at else same):
            reply_received.send(StatusNote, note=note)


@transaction.atomic
def save_note_once(note: StatusNote, same: QuerySet[StatusNote]) -> bool:
    """Adds a note unless the same exists. The lock covers repeats of a receipt that come at the same time."""
    Row.objects.select_for_update(of=("self",)).get(pk=note.message_id)
    if is_new := not same.exists():
        note.save()
    return is_new


# --- queries ---


def queryable_gateways() -> list[Gateway]:
    """Returns the gateways with queries and complete settings, also those no longer in use."""
    made = (get_gateway(name) for name in settings.SMS_GATEWAYS)
    return [one for one in made if one.query_size and all(getattr(settings, need) for need in one.needs)]


def overdue_messages(gateway: Gateway, since: datetime) -> NotificationQuerySet:
    """Returns `sent` messages whose receipt is overdue, the oldest first."""
    now = timezone.now()
    due = Q(ask_after=None) | Q(ask_after__lte=now)
    overdue = Row.objects.filter(due, status=MessageStatus.SENT, sent_at__lt=now - OVERDUE)
    rows = overdue.filter(gateway=gateway.name, created_at__gte=since)
    return rows.exclude(provider_message_id="").order_by("created_at", "id")


def retryable_unknown(since: datetime) -> Iterator[Row]:
    """Yields `unknown` messages that can be retried now. Their provider is idempotent and answers with their status.

    Skips outdated messages: the provider may never have got them and would send them now. Skips messages whose
    channel is stopped.
    """
    rows = Row.objects.filter(status=MessageStatus.UNKNOWN, created_at__gte=since).not_resent()
    for row in rows.select_related("customer", "order").order_by("created_at", "id"):
        pause = FIRST_PAUSE * 2 ** min(row.attempts - 1, MAX_DOUBLINGS)
        rested = timezone.now() - (row.claimed_at or row.created_at) >= pause
        held = not rested or sending_rules.blocked_by(row) or sending_rules.not_before(row)
        if not held and gateways.gateways_for(row) and gateways.repeatable(row):
            yield row


def query_provider(gateway: Gateway, rows: list[Row]) -> Iterator[tuple[Row, bool]]:
    """Queries the provider. Yields each row with its new status, and whether it changed. Raises GatewayError."""
    for start in range(0, len(rows), gateway.query_size):
        asked = rows[start : start + gateway.query_size]
        heard = gateway.query([row.provider_message_id for row in asked])
        if heard:
            back_off(asked)
        for row in asked:
            yield row, any(apply_receipt(row, receipt) for receipt in heard if matches_receipt(gateway, receipt, row))


def back_off(asked: list[Row]) -> None:
    """Exponential backoff: the next query comes when the message is twice as old."""
    now = timezone.now()
    for row in asked:
        row.ask_after = now + (now - (row.sent_at or row.created_at))
    Row.objects.unannounced().bulk_update(asked, ["ask_after"])


def matches_receipt(gateway: Gateway, receipt: Receipt, row: Row) -> bool:
    same_id = row.provider_message_id in gateway.id_variants(receipt.provider_message_id)
    return same_id and receipt.phone in ("", row.recipient)


def query_balance(gateway: Gateway) -> Decimal | None:
    """Queries and records the points left. Raises GatewayError."""
    try:
        points = gateway.balance()
    except GatewayError as error:
        if error.reason in STOPPING:
            # So that any balance counts as new, and starts the channel, once the account works again.
            GatewayState.objects.filter(gateway=gateway.name).update(balance=None)
        raise
    if points is not None:
        record_balance(gateway, points)
    return points


def record_balance(gateway: Gateway, points: Decimal) -> GatewayState:
    """Records the balance. Starts a stopped channel if the balance differs from the one at which it was stopped."""
    state = GatewayState.of(gateway.name)
    new = points > 0 and points != state.balance
    state.balance, state.balance_at = points, timezone.now()
    state.save(update_fields=["balance", "balance_at"])
    if new:
        state.start()
    return state
