"""What the sockets do, for the office: connections now, and what was counted of late."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from realtime import statistics


def _counts(text: Any) -> serializers.DictField:
    return serializers.DictField(child=serializers.IntegerField(), help_text=text)


def _rate() -> serializers.FloatField:
    return serializers.FloatField(help_text=_("A second, over the last one to two minutes."))


def _lag() -> serializers.FloatField:
    return serializers.FloatField(
        allow_null=True, help_text=_("From the change to the socket, over the last one to two minutes.")
    )


class WebSocketStatistics(serializers.Serializer[Any]):
    """Of all servers. Counts are of the last hour."""

    connections = serializers.IntegerField()
    by_role, by_endpoint = _counts(_("Connections now.")), _counts(_("Connections now."))
    servers = serializers.IntegerField(help_text=_("Processes with open connections."))
    events_per_second, deliveries_per_second = _rate(), _rate()
    reconnects = serializers.IntegerField(help_text=_("Connections that came with a cursor."))
    reconnect_rate = _rate()
    resyncs = serializers.IntegerField(help_text=_("Those whose cursor was gone."))
    disconnects = _counts(_("By close code."))
    errors = _counts(_("By code."))  # type: ignore[assignment]  # a field here; nothing is validated
    error_rate = _rate()
    average_duration = serializers.FloatField(allow_null=True, help_text=_("Seconds, of connections that have ended."))
    bell_missed = serializers.IntegerField(help_text=_("Events that came with the timer and not with the bell."))
    hub_lag_ms, hub_lag_p99_ms = _lag(), _lag()
    hub_lag_histogram = _counts(_("Events by milliseconds, at most."))


class Statistics(APIView):
    rights = {"GET": ["realtime.view_websocketconnection"]}

    @extend_schema(operation_id="websocket_stats_retrieve", responses=WebSocketStatistics)
    def get(self, request: Request) -> Response:
        """Connections now, by role and endpoint; events, deliveries, reconnects, errors, and how late events were."""
        return Response(statistics.summary())
