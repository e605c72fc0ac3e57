"""Read-only admin pages: the event log and the open sockets."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from realtime import statistics
from realtime.models import Event, WebSocketConnection
from web.admin import BaseListAdmin, ReadOnly


@admin.register(Event)
class EventAdmin(ReadOnly, BaseListAdmin):
    list_display = ("seq", "created_at", "type", "channel_list", "subject")
    list_filter = ("type", "created_at")
    fields = ("seq", "created_at", "type", "channel_list", "payload", "request_id")
    # Django would count the whole table a second time for a filtered list, which is slow with millions of rows.
    show_full_result_count = False

    @admin.display(description=_("channels"))
    def channel_list(self, event: Event) -> str:
        return ", ".join(event.channels)

    @admin.display(description=_("about"))
    def subject(self, event: Event) -> str:
        return str(event.data.get("order_number") or event.data.get("name") or "")

    @admin.display(description=_("data"))
    def payload(self, event: Event) -> SafeString:
        return format_html("<pre>{}</pre>", json.dumps(event.data, ensure_ascii=False, indent=2))


@admin.register(WebSocketConnection)
class WebSocketConnectionAdmin(ReadOnly, BaseListAdmin):
    list_display = ("connection_id", "user", "role", "endpoint", "instance", "connected_at", "last_ping")
    list_filter = ("role", "endpoint", "instance")
    list_select_related = ("user",)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Adds the statistics of all servers above the list."""
        return super().changelist_view(request, {"figures": statistics.summary(), **(extra_context or {})})
