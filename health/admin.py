"""The hourly figures in the admin, read-only."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from web.admin import BaseListAdmin, ReadOnly
from web.models import SystemMetric


def figure(name: str, label: Any) -> Any:
    """Returns a list column with one figure of `metrics_json`."""

    @admin.display(description=label)
    def column(self: Any, row: SystemMetric) -> Any:
        return row.metrics_json.get(name)

    return column


@admin.register(SystemMetric)
class SystemMetricAdmin(ReadOnly, BaseListAdmin):
    list_display = ("at", "connections", "events", "latency", "sent", "failed", "created_at")
    date_hierarchy = "at"
    fields = ("at", "created_at", "all_figures")

    def get_queryset(self, request: HttpRequest) -> QuerySet[SystemMetric]:
        """Leaves out the minutes, which only the dashboard shows."""
        return super().get_queryset(request).filter(span=SystemMetric.Span.HOUR)

    connections = figure("websocket_connections", _("connections"))
    events = figure("events_per_second", _("events per second"))
    latency = figure("latency_p99_ms", _("latency p99, ms"))
    sent = figure("notifications_sent_today", _("SMS sent today"))
    failed = figure("notifications_failed_today", _("SMS failed today"))

    @admin.display(description=_("figures"))
    def all_figures(self, row: SystemMetric) -> SafeString:
        return format_html("<pre>{}</pre>", json.dumps(row.metrics_json, ensure_ascii=False, indent=2))
