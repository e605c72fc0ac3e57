"""SMS receipts and customer replies reach the office's screens."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext

from notifications import receipts
from notifications.gateways import get_gateway
from notifications.gateways.base import Receipt, Reply
from notifications.states import MessageStatus
from notifications.tests.factories import make_message
from realtime.log import assign_event_ids
from realtime.models import Event, Outbox

pytestmark = pytest.mark.django_db


def record_twice(receipt: Any) -> list[tuple[str, list[str], dict[str, Any]]]:
    """Records a receipt or reply twice. Returns type, channels and data of the events that this caused."""
    assign_event_ids()
    before = Event.objects.count()
    for _ in range(2):
        receipts.record(get_gateway(), receipt)
    assign_event_ids()
    assert not Outbox.objects.exists()
    return [(event.type, event.channels, event.data) for event in Event.objects.order_by("seq")[before:]]


def test_receipt_is_announced_once() -> None:
    row = make_message(MessageStatus.SENT, gateway="memory", provider_message_id="m-1")
    data = {"notification_id": str(row.pk), "order_id": row.order_id, "kind": row.kind, "status": "delivered"}
    events = record_twice(Receipt("m-1", row.recipient, MessageStatus.DELIVERED))
    assert events == [("notification.sent", ["notifications"], data | {"reason": ""})]


def test_customer_reply_is_announced_once_to_all_staff() -> None:
    row = make_message(MessageStatus.SENT, gateway="memory", provider_message_id="m-1")
    with translation.override("en"):  # the language of the provider's request must not matter
        ((type_, channels, data),) = record_twice(Reply("m-1", row.recipient, "請下午來"))
    with translation.override(settings.LANGUAGE_CODE):
        title = gettext("A customer replied to an SMS")
    assert (type_, channels, data["title"]) == ("notification", ["staff"], title)
    assert data["message"] == f"{row.customer.name}: 請下午來"
    assert data["action"] == {"type": "notification", "order_id": row.order_id}


@pytest.mark.parametrize(("reason", "types"), [("switched_off", []), ("opt_out", ["notification.failed"])])
def test_message_skipped_while_sms_is_off_is_not_announced(reason: str, types: list[str]) -> None:
    row = make_message()
    assign_event_ids()
    before = Event.objects.count()
    row.move(MessageStatus.PENDING, MessageStatus.SUPPRESSED, status_reason=reason)
    assign_event_ids()
    assert [event.type for event in Event.objects.order_by("seq")[before:]] == types
