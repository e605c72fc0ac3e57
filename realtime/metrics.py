"""What Prometheus learns of the hubs and their sockets.

A hub counts for itself (`realtime.statistics`) and adds here what is new, once a second: delivering costs no more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product

from django.db.models import Count
from prometheus_client import Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from accounts.roles import Side
from realtime import log, presence
from realtime.statistics import LAG_NAMES, LAGS


class Lags(Histogram):
    """A histogram that takes what was sorted into its buckets already."""

    def add(self, buckets: Mapping[str, int], seconds: float) -> None:
        self._sum.inc(seconds)
        for name, bucket in zip(LAG_NAMES, self._buckets, strict=True):
            if count := buckets.get(name):
                bucket.inc(count)


LAG = Lags(
    "luckygas_hub_lag_seconds",
    "From the change to the write on the sockets, once for each hub that reads the event.",
    buckets=[bound / 1000 for bound in LAGS],
)
RECONNECTS = Counter(
    "luckygas_websocket_reconnects",
    "Sockets that came with a cursor: resumed (true), or too late and told to load afresh (false).",
    ["recovered"],
)
PLAIN = {
    "events": Counter("luckygas_hub_events", "Events read from the log, by each hub."),
    "deliveries": Counter("luckygas_event_deliveries", "Events written to sockets."),
    "bell_missed": Counter("luckygas_bell_missed", "Events found by the timer and not by the bell."),
    "messages": Counter("luckygas_websocket_messages", "Messages of clients."),
    "connects": Counter("luckygas_websocket_connects", "Sockets that were let in."),
}
BY_CODE = {
    "closes": Counter("luckygas_websocket_disconnects", "Sockets that ended, by close code.", ["code"]),
    "errors": Counter("luckygas_websocket_errors", "Refusals told to clients, by code.", ["code"]),
}
RECOVERED, LOST = RECONNECTS.labels("true"), RECONNECTS.labels("false")


def add(new: Mapping[str, int]) -> None:
    """What a hub counted since it was here last, by the names of `realtime.statistics`."""
    lags = dict[str, int]()
    for name, number in new.items():
        kind, _dot, code = name.partition(".")
        if kind == "lag":
            lags[code] = number
        elif kind in BY_CODE:
            BY_CODE[kind].labels(code).inc(number)
        elif kind in PLAIN:
            PLAIN[kind].inc(number)
    LAG.add(lags, new.get("lag_ms", 0) / 1000)
    LOST.inc(new.get("resyncs", 0))
    RECOVERED.inc(new.get("reconnects", 0) - new.get("resyncs", 0))


def rows() -> Iterator[Metric]:
    """As the database has it now: of all servers."""
    yield CounterMetricFamily("luckygas_events_numbered", "Events in the log since it began.", log.head().seq)
    yield GaugeMetricFamily(
        "luckygas_outbox_oldest_seconds", "How long the oldest committed change waits to be told.", log.longest_wait()
    )
    counts = dict.fromkeys(product(map(str, Side), ["ws"]), 0)
    for row in presence.live().order_by().values("role", "endpoint").annotate(count=Count("pk")):
        counts[row["role"], row["endpoint"]] = row["count"]
    sockets = GaugeMetricFamily(
        "luckygas_websocket_connections", "Sockets that are open now.", labels=["role", "endpoint"]
    )
    for labels, count in counts.items():
        sockets.add_metric(labels, count)
    yield sockets
