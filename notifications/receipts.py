"""Records what providers report about messages and the account, in callbacks and queries.

Sends no message itself. But a new balance may start a stopped gateway, and `queue` then sends waiting messages.

A receipt may come before the answer to its sending. Then no row has the provider's id yet. The receipt is refused, and
the provider repeats it.
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
# A receipt is overdue after this long. Carriers report within minutes if the telephone is on. If the telephone is off,
# earlier queries bring nothing.
OVERDUE = timedelta(hours=1)
# Sendings without an answer are retried after 5, 10, 20, … minutes: a provider may be down for hours.
FIRST_PAUSE, MAX_DOUBLINGS = timedelta(minutes=5), 12


def record(gateway: Gateway, report: Receipt | Reply, own_id: UUID | None = None) -> None:
    """Records a receipt or a reply. Idempotent. Raises Refusal if no message matches, and then changes nothing.

    `own_id`: our own id of the message, if the provider's callback contains it.
    """
    row = find_message(gateway, report, own_id)
    if isinstance(report, Reply):
        record_reply(row, report)
    else:
        apply_receipt(row, report)
    GatewayState.of(gateway.name)
    GatewayState.objects.filter(gateway=gateway.name).update(last_receipt_at=timezone.now())


def find_message(gateway: Gateway, report: Receipt | Reply, own_id: UUID | None) -> Row:
    """Finds the latest message with this id and number, because a provider may reuse ids. Raises Refusal.

    A message whose sending got no answer has no provider's id, so `own_id` finds it.
    """
    ids = gateway.id_variants(report.provider_message_id)
    unanswered = Q(status=MessageStatus.UNKNOWN) | Q(status=MessageStatus.PENDING, attempts__gt=0)
    has_id = Q(provider_message_id__in=ids) | (Q(pk=own_id) & unanswered)
    rows = list(Row.objects.filter(has_id, gateway=gateway.name).order_by("-created_at")[:10])
    if not report.provider_message_id or not rows:
        raise Refusal("unknown_message", _("There is no message with this id. Please check it."), status=404)
    for row in rows:
        if row.recipient == report.phone:
            return row
    detail = _("The telephone number is missing, or is not the recipient of this message. Please send the recipient's.")
    raise Refusal("other_number", detail, status=400)


def apply_receipt(row: Row, receipt: Receipt) -> bool:
    """Applies a receipt to its message. False: its code is unknown, or its status may not follow the present one."""
    if receipt.status is None:
        record_unknown_code(row, receipt)
        return False
    columns: dict[str, Any] = {"status_reason": receipt.reason, "raw_status": receipt.raw_status[:LONGEST_CODE]}
    if not row.provider_message_id:
        columns["provider_message_id"] = receipt.provider_message_id
    if receipt.status in GOOD_NEWS:
        columns |= {"sent_at": row.sent_at or row.claimed_at, "error_message": ""}
    if receipt.status == MessageStatus.DELIVERED:
        columns["delivered_at"] = plausible_time(row, receipt.at) or timezone.now()
    while receipt.status in MOVES[row.status]:
        if row.move(row.status, receipt.status, **columns):
            return True
        row.refresh_from_db()
    return False


def plausible_time(row: Row, at: datetime | None) -> datetime | None:
    """Returns the provider's time `at`; None if it is missing, before the sending or in the future."""
    # Providers round to whole seconds.
    first = row.first_sent_at().replace(microsecond=0)
    return at if at and first <= at <= timezone.now() else None


def record_unknown_code(row: Row, receipt: Receipt) -> None:
    """Adds an unknown code to the message's trail, each code once. The status stays."""
    note = StatusNote(
        message=row,
        status=row.status,
        reason=receipt.reason,
        raw_status=receipt.raw_status[:LONGEST_CODE],
        gateway=row.gateway,
    )
    save_note_once(note, StatusNote.objects.filter(message=row, reason=note.reason, raw_status=note.raw_status))


def record_reply(row: Row, reply: Reply) -> None:
    """Adds a customer's reply to the message's trail and sends `reply_received`. Ignores a repeated reply."""
    text = " ".join("".join(letter if letter.isprintable() else " " for letter in reply.text).split())[:LONGEST_REPLY]
    at = plausible_time(row, reply.at)
    note = StatusNote(message=row, status=row.status, reply=text or "–", at=at or timezone.now())
    repeats = StatusNote.objects.filter(message=row, reply=note.reply)
    with transaction.atomic():
        if save_note_once(note, repeats.filter(at=at) if at else repeats):
            reply_received.send(StatusNote, note=note)


@transaction.atomic
def save_note_once(note: StatusNote, repeats: QuerySet[StatusNote]) -> bool:
    """Saves `note` and returns True, unless `repeats` already contains one.

    A lock serialises repeats of a receipt that come at the same time.
    """
    Row.objects.select_for_update(of=("self",)).get(pk=note.message_id)
    if is_new := not repeats.exists():
        note.save()
    return is_new


# --- queries ---


def queryable_gateways() -> list[Gateway]:
    """Returns the gateways whose provider answers status queries and whose settings are complete, also unused ones."""
    installed = (get_gateway(name) for name in settings.SMS_GATEWAYS)
    return [one for one in installed if one.query_size and all(getattr(settings, name) for name in one.needs)]


def overdue_messages(gateway: Gateway, since: datetime) -> NotificationQuerySet:
    """Returns `sent` messages of this gateway, created since `since`, whose receipt is overdue. The oldest comes first.

    Skips those whose next query is not due yet (`ask_after`), and those without a provider's id.
    """
    now = timezone.now()
    due = Q(ask_after=None) | Q(ask_after__lte=now)
    overdue = Row.objects.filter(due, status=MessageStatus.SENT, sent_at__lt=now - OVERDUE)
    rows = overdue.filter(gateway=gateway.name, created_at__gte=since)
    return rows.exclude(provider_message_id="").order_by("created_at", "id")


def retryable_unknown(since: datetime) -> Iterator[Row]:
    """Yields `unknown` messages that can be retried now, because the provider recognises a message that it already has.

    A provider that never got the message would send it. So messages that our rules block or delay are skipped, and so
    are those whose gateway is stopped.
    """
    rows = Row.objects.filter(status=MessageStatus.UNKNOWN, created_at__gte=since).not_resent()
    for row in rows.select_related("customer", "order").order_by("created_at", "id"):
        pause = FIRST_PAUSE * 2 ** min(row.attempts - 1, MAX_DOUBLINGS)
        too_early = timezone.now() - (row.claimed_at or row.created_at) < pause
        must_wait = too_early or sending_rules.blocking_verdict(row) or sending_rules.earliest_time(row)
        if not must_wait and gateways.gateways_for(row) and gateways.is_repeatable(row):
            yield row


def query_provider(gateway: Gateway, rows: list[Row]) -> Iterator[tuple[Row, bool]]:
    """Queries the status of these messages and applies the answers. Yields each row and whether its status changed.

    Raises GatewayError.
    """
    for start in range(0, len(rows), gateway.query_size):
        batch = rows[start : start + gateway.query_size]
        answer = gateway.query([row.provider_message_id for row in batch])
        if answer:
            back_off(batch)
        for row in batch:
            yield row, any(apply_receipt(row, receipt) for receipt in answer if matches_receipt(gateway, receipt, row))


def back_off(rows: list[Row]) -> None:
    """Sets when each message is queried next: when it is twice as old as now (exponential backoff)."""
    now = timezone.now()
    for row in rows:
        row.ask_after = now + (now - (row.sent_at or row.created_at))
    Row.objects.unannounced().bulk_update(rows, ["ask_after"])


def matches_receipt(gateway: Gateway, receipt: Receipt, row: Row) -> bool:
    same_id = row.provider_message_id in gateway.id_variants(receipt.provider_message_id)
    return same_id and receipt.phone in ("", row.recipient)


def query_balance(gateway: Gateway) -> Decimal | None:
    """Queries, records and returns the points left; None if the provider does not say. Raises GatewayError."""
    try:
        points = gateway.balance()
    except GatewayError as error:
        if error.reason in STOPPING:
            # Without a recorded balance, any positive one starts the gateway once the account works again.
            GatewayState.objects.filter(gateway=gateway.name).update(balance=None)
        raise
    if points is not None:
        record_balance(gateway, points)
    return points


def record_balance(gateway: Gateway, points: Decimal) -> GatewayState:
    """Records the balance, and starts a stopped gateway if it is positive and has changed. Returns the state."""
    state = GatewayState.of(gateway.name)
    is_new = points > 0 and points != state.balance
    state.balance, state.balance_at = points, timezone.now()
    state.save(update_fields=["balance", "balance_at"])
    if is_new:
        state.start()
    return state
