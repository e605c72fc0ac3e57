"""What staff may look at: the hourly figures. Nothing here is changed by hand."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from web.admin.base import HouseList, ReadOnly
from web.models import SystemMetric


@admin.register(SystemMetric)
class SystemMetricAdmin(ReadOnly, HouseList):
    list_display = ("at", "connections", "events", "latency", "sent", "failed", "created_at")
    date_hierarchy = "at"
    fields = ("at", "created_at", "all_figures")

    def get_queryset(self, request: HttpRequest) -> QuerySet[SystemMetric]:
        """The minutes are the dashboard's."""
        return super().get_queryset(request).filter(span=SystemMetric.Span.HOUR)

    @admin.display(description=_("connections"))
    def connections(self, row: SystemMetric) -> Any:
        return row.metrics_json.get("websocket_connections")

    @admin.display(description=_("events a second"))
    def events(self, row: SystemMetric) -> Any:
        return row.metrics_json.get("events_per_second")

    @admin.display(description=_("latency p99, ms"))
    def latency(self, row: SystemMetric) -> Any:
        return row.metrics_json.get("latency_p99_ms")

    @admin.display(description=_("SMS sent today"))
    def sent(self, row: SystemMetric) -> Any:
        return row.metrics_json.get("notifications_sent_today")

    @admin.display(description=_("SMS failed today"))
    def failed(self, row: SystemMetric) -> Any:
        return row.metrics_json.get("notifications_failed_today")

    @admin.display(description=_("figures"))
    def all_figures(self, row: SystemMetric) -> SafeString:
        return format_html("<pre>{}</pre>", json.dumps(row.metrics_json, ensure_ascii=False, indent=2))
