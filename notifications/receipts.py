"""What providers say of a message after they took it, unasked or asked. None of it ever makes a message.

A receipt that comes before the answer it belongs to names an id that no row has yet: it is refused, and the provider
repeats it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from notifications.gateways.base import Gateway, Receipt, Reply
from notifications.models import GatewayState, NotificationHistory, StatusNote
from notifications.signals import reply_received
from notifications.states import GOOD_NEWS, MOVES, Status
from web.refusals import Refusal

Row = NotificationHistory


def take(gateway: Gateway, heard: Receipt | Reply, named: UUID | None = None) -> None:
    """Keeps what is heard, once however often it is said. Raises Refusal, and then nothing was changed.

    `named`: our own id of the message, where the provider was given it.
    """
    row = message_of(gateway, heard, named)
    if isinstance(heard, Reply):
        keep_reply(row, heard)
    else:
        learn(row, heard)
    now = timezone.now()
    if not GatewayState.objects.filter(gateway=gateway.name).update(last_receipt_at=now):
        GatewayState.objects.update_or_create(gateway=gateway.name, defaults={"last_receipt_at": now})


def message_of(gateway: Gateway, heard: Receipt | Reply, named: UUID | None) -> Row:
    """The message with this id that went to this number; the latest, should the provider use an id anew.

    Of one that was never answered no provider's id is known.
    """
    ids = gateway.spellings(heard.provider_message_id)
    silent = Q(status=Status.UNKNOWN) | Q(status=Status.PENDING, attempts__gt=0)
    meant = Q(provider_message_id__in=ids) | (Q(pk=named) & silent)
    rows = list(Row.objects.filter(meant, gateway=gateway.name).order_by("-created_at")[:10])
    if not heard.provider_message_id or not rows:
        raise Refusal("unknown_message", _("No message has this id."), status=404)
    for row in rows:
        if row.recipient == heard.phone:
            return row
    raise Refusal("other_number", _("The message with this id went to another number."), status=400)


def learn(row: Row, heard: Receipt) -> bool:
    """Writes what became of a message. False: it was known, or what is known already is final."""
    if heard.status is None:
        keep_code(row, heard)
        return False
    columns: dict[str, Any] = {"status_reason": heard.reason, "raw_status": heard.raw_status[:80]}
    if not row.provider_message_id:
        columns["provider_message_id"] = heard.provider_message_id
    if heard.status in GOOD_NEWS:
        columns |= {"sent_at": row.sent_at or row.claimed_at, "error_message": ""}
    if heard.status == Status.DELIVERED:
        columns["delivered_at"] = credible(row, heard.at) or timezone.now()
    while heard.status in MOVES[row.status]:
        if row.move(row.status, heard.status, **columns):
            return True
        row.refresh_from_db()
    return False


def credible(row: Row, at: datetime | None) -> datetime | None:
    """The time that a provider says, or None where it says none that can be: before the sending, or yet to come.

    Providers say whole seconds.
    """
    first = row.first_sent_at().replace(microsecond=0)
    return at if at and first <= at <= timezone.now() else None


def keep_code(row: Row, heard: Receipt) -> None:
    """Adds a code that nobody knows to the message's trail; what is known of the message stays."""
    note = StatusNote(
        message=row, status=row.status, reason=heard.reason, raw_status=heard.raw_status[:80], gateway=row.gateway
    )
    keep_once(note, StatusNote.objects.filter(message=row, reason=note.reason, raw_status=note.raw_status))


def keep_reply(row: Row, heard: Reply) -> None:
    """Adds what the customer answered to the message's trail."""
    text = " ".join("".join(letter if letter.isprintable() else " " for letter in heard.text).split())[:500]
    at = credible(row, heard.at)
    note = StatusNote(message=row, status=row.status, reply=text or "–", at=at or timezone.now())
    same = StatusNote.objects.filter(message=row, reply=note.reply)
    with transaction.atomic():
        if keep_once(note, same.filter(at=at) if at else same):
            reply_received.send(StatusNote, note=note)


@transaction.atomic
def keep_once(note: StatusNote, same: QuerySet[StatusNote]) -> bool:
    """Adds a note unless there is the same; repeats of one receipt may come at once."""
    Row.objects.select_for_update(of=("self",)).get(pk=note.message_id)
    if is_new := not same.exists():
        note.save()
    return is_new
