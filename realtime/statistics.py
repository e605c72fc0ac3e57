"""Statistics of the sockets of all servers, for the admin, the API, the health check and Prometheus."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise, product
from typing import Any

from django.db.models import Count
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.roles import Side
from realtime import log, presence
from realtime.metrics import LAG_BOUNDS_MS
from web.metrics import percentile
from web.system_metrics import HOUR, MINUTE, Counts, buckets, by_label, recent_figures

Figures = dict[str, Any]
LAG = "luckygas_hub_lag_seconds"
ERRORS = "luckygas_websocket_errors_total"
RECONNECTS = "luckygas_websocket_reconnects_total"
OPEN_SECONDS = "luckygas_websocket_open_seconds"


def summary() -> Figures:
    """Statistics of all servers: open sockets now, rates and lag (ms) over one to two minutes.

    The other counts and the lag histogram cover the last hour.
    """
    hour, minute = recent_figures(HOUR), recent_figures(MINUTE)
    counts, reconnects = hour.counts, by_label(hour.counts, RECONNECTS)
    rates = {name: round(count / minute.seconds, 3) for name, count in _rate_counts(minute.counts).items()}
    closed = counts.get(f"{OPEN_SECONDS}_count", 0)
    return {
        **connections(), **rates,
        "reconnects": int(sum(reconnects.values())), "resyncs": int(reconnects.get("false", 0)),
        "disconnects": _integers(by_label(counts, "luckygas_websocket_disconnects_total")),
        "errors": _integers(by_label(counts, ERRORS)),
        "average_duration": round(counts[f"{OPEN_SECONDS}_sum"] / closed, 1) if closed else None,
        "bell_missed": int(counts.get("luckygas_bell_missed_total", 0)),
        "hub_lag_ms": lag_ms(minute.counts, 0.5), "hub_lag_p99_ms": lag_ms(minute.counts, 0.99),
        "hub_lag_histogram": _lag_histogram(counts),
    }  # fmt: skip


def _rate_counts(counts: Counts) -> Counts:
    return {
        "events_per_second": counts.get("luckygas_events_numbered_total", 0),
        "deliveries_per_second": counts.get("luckygas_event_deliveries_total", 0),
        "reconnect_rate": sum(by_label(counts, RECONNECTS).values()),
        "error_rate": count_errors(counts),
    }


def count_errors(counts: Counts) -> float:
    """The number of refusals sent to clients, in total over all codes."""
    return sum(by_label(counts, ERRORS).values())


def lag_ms(counts: Counts, share: float) -> float | None:
    """The time in ms within which this share (0 to 1) of the events was written to sockets; None without events."""
    seconds = percentile(buckets(counts, LAG).get("", {}), share)
    return None if seconds is None else round(seconds * 1000, 1)


def _lag_histogram(counts: Counts) -> dict[str, int]:
    """The number of events by upper bound in ms (`more`: above the last). Each counts in the smallest one that fits."""
    found = buckets(counts, LAG).get("", {})
    up_to = [0, *(int(found.get(bound / 1000, 0)) for bound in LAG_BOUNDS_MS), int(found.get(math.inf, 0))]
    return dict(
        zip([*map(str, LAG_BOUNDS_MS), "more"], (after - before for before, after in pairwise(up_to)), strict=True)
    )


def _integers(counts: Counts) -> dict[str, int]:
    return {name: int(count) for name, count in counts.items()}


def connections() -> Figures:
    """The number of open sockets, by role and by endpoint, and of the servers that hold them."""
    role, endpoint, servers = Counter[str](), Counter[str](), set[str]()
    for row in presence.live_rows().order_by().values("role", "endpoint", "instance").annotate(count=Count("pk")):
        role[row["role"]] += row["count"]
        endpoint[row["endpoint"]] += row["count"]
        servers.add(row["instance"])
    totals = {"connections": role.total(), "by_role": dict(role), "by_endpoint": dict(endpoint)}
    return totals | {"servers": len(servers)}


def gauges() -> Iterator[Metric]:
    """Prometheus gauges of all servers, read from the database."""
    oldest = log.oldest_waiting_time()
    waits = max((timezone.now() - oldest).total_seconds(), 0.0) if oldest else 0.0
    yield GaugeMetricFamily(
        "luckygas_outbox_oldest_seconds", "The age of the oldest committed change that is not yet numbered.", waits
    )
    counts: dict[tuple[str, str], int] = dict.fromkeys(product(map(str, Side), ["ws"]), 0)
    for row in presence.live_rows().order_by().values("role", "endpoint").annotate(count=Count("pk")):
        counts[row["role"], row["endpoint"]] = row["count"]
    text = "Sockets that are open now."
    sockets = GaugeMetricFamily("luckygas_websocket_connections", text, labels=["role", "endpoint"])
    for labels, count in counts.items():
        sockets.add_metric(labels, count)
    yield sockets


# --- as JSON ---------------------------------------------------------------------------------------------------


def _counts(text: Any) -> serializers.DictField:
    return serializers.DictField(child=serializers.IntegerField(), help_text=text)


def _rate() -> serializers.FloatField:
    return serializers.FloatField(help_text=_("Per second, over the last one to two minutes."))


def _lag() -> serializers.FloatField:
    return serializers.FloatField(
        allow_null=True, help_text=_("Milliseconds from the change to the sending, over the last one to two minutes.")
    )


class WebSocketStatistics(serializers.Serializer[Any]):
    """Statistics of all servers. Counts cover the last hour."""

    connections = serializers.IntegerField()
    by_role, by_endpoint = (
        _counts(_("Open connections at this moment.")),
        _counts(_("Open connections at this moment.")),
    )
    servers = serializers.IntegerField(help_text=_("Processes with open connections."))
    events_per_second, deliveries_per_second = _rate(), _rate()
    reconnects = serializers.IntegerField(
        help_text=_("Connections that sent a cursor, including those whose cursor was too old.")
    )
    reconnect_rate = _rate()
    resyncs = serializers.IntegerField(help_text=_("Connections whose cursor was too old."))
    disconnects = _counts(_("Ended connections by close code."))
    errors = _counts(_("Errors by code."))  # type: ignore[assignment]  # a field here; nothing is validated
    error_rate = _rate()
    average_duration = serializers.FloatField(
        allow_null=True, help_text=_("Average seconds of connections that have ended.")
    )
    bell_missed = serializers.IntegerField(help_text=_("Events found by polling, without a wake-up message."))
    hub_lag_ms, hub_lag_p99_ms = _lag(), _lag()
    hub_lag_histogram = _counts(_("Number of events by delay; each key is an upper limit in milliseconds."))


class Statistics(APIView):
    rights = {"GET": ["realtime.view_websocketconnection"]}

    @extend_schema(operation_id="websocket_stats_retrieve", responses=WebSocketStatistics)
    def get(self, request: Request) -> Response:
        """Returns open connections by role and endpoint, and events, deliveries, reconnects, errors and event lag."""
        return Response(summary())
