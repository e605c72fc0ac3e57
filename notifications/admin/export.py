"""The history as a sheet: what the filters show, numbers masked, fit for Excel."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from itertools import chain, islice
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.admin.utils import label_for_field
from django.core.handlers.asgi import ASGIRequest
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _

from notifications.models import NotificationHistory
from notifications.states import Kind, Reason, Status, Type
from web.csv_export import AT_ONCE, CONTENT_TYPE, headers, written

MOST_ROWS = 100_000
FIELDS = (
    "created_at", "type", "kind", "order", "customer", "recipient", "status", "status_reason", "error_message",
    "gateway", "provider_message_id", "raw_status", "segments", "points", "sent_at", "delivered_at", "content",
)  # fmt: skip


def answer(request: HttpRequest, rows: QuerySet[NotificationHistory]) -> StreamingHttpResponse:
    """At most MOST_ROWS; the last line says so where that cut some off."""
    parts = sheet(rows)
    # Each kind of server takes the one iterator piece by piece, and would gather the other whole.
    streamed = pulled(parts) if isinstance(request, ASGIRequest) else parts
    name = f"messages-{timezone.localdate()}.csv"
    return StreamingHttpResponse(streamed, content_type=CONTENT_TYPE, headers=headers(name))


async def pulled(parts: Iterator[str]) -> AsyncIterator[str]:
    while part := await sync_to_async(lambda: next(parts, ""))():
        yield part


def sheet(rows: QuerySet[NotificationHistory]) -> Iterator[str]:
    """The text of the sheet in pieces. The words are looked up at once: later the language of who asks is gone."""
    head = [str(label_for_field(name, NotificationHistory)) for name in FIELDS]
    words = {str(value): str(label) for values in (Type, Kind, Status, Reason) for value, label in values.choices}
    cut = _("Cut off after %d messages: please choose fewer days.") % MOST_ROWS
    # One more than fits tells that some are left.
    found = rows[: MOST_ROWS + 1].iterator(chunk_size=AT_ONCE)
    shown = (cells(row, words) for row in islice(found, MOST_ROWS))
    return written(chain([head], shown, ([cut] for left in found)))


def cells(row: NotificationHistory, words: dict[str, str]) -> list[Any]:
    values = {name: getattr(row, name) for name in FIELDS if name != "recipient"} | {"recipient": row.masked_recipient}
    for name in ("type", "kind", "status", "status_reason"):
        values[name] = words.get(values[name], values[name])
    for name in ("created_at", "sent_at", "delivered_at"):
        values[name] = values[name] and f"{timezone.localtime(values[name]):%Y-%m-%d %H:%M:%S}"
    return [values[name] for name in FIELDS]
