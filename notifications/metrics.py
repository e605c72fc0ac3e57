"""What Prometheus learns of messages to customers."""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Count, Q
from django.utils import timezone
from prometheus_client import Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from notifications import routing
from notifications.models import GatewayState, NotificationHistory
from notifications.states import Status
from notifications.statistics import oldest_due, tells_fate

SENDINGS = Histogram(
    "luckygas_sms_send_seconds",
    "What one sending took, with all its tries, by what became of it.",
    ["gateway", "kind", "outcome"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60),
)


def rows() -> Iterator[Metric]:
    """As the database has it now."""
    yield from _waiting()
    yield from _gateways()


def _waiting() -> Iterator[Metric]:
    now = timezone.now()
    counted = NotificationHistory.objects.filter(status__in=[Status.PENDING, Status.UNKNOWN]).aggregate(
        pending=Count("pk", filter=Q(status=Status.PENDING)),
        unknown=Count("pk", filter=Q(status=Status.UNKNOWN)),
        oldest=oldest_due(now),
    )
    waited = (now - counted["oldest"]).total_seconds() if counted["oldest"] else 0
    yield GaugeMetricFamily("luckygas_sms_pending", "Messages that wait to be sent.", counted["pending"])
    yield GaugeMetricFamily("luckygas_sms_unknown", "Messages that may or may not have gone out.", counted["unknown"])
    yield GaugeMetricFamily(
        "luckygas_sms_oldest_pending_seconds",
        "How long the oldest waits of those that might go out now.",
        max(waited, 0),
    )


def _gateways() -> Iterator[Metric]:
    """Of the gateways in use. One that never said its balance has no such series; a receipt that never came is of 0."""
    known = {state.gateway: state for state in GatewayState.objects.all()}
    stopped = GaugeMetricFamily(
        "luckygas_sms_gateway_stopped", "1 while nothing is sent by it, by what it said itself.", labels=["gateway"]
    )
    balance = GaugeMetricFamily("luckygas_sms_balance_points", "Points left, as last heard.", labels=["gateway"])
    receipt = GaugeMetricFamily(
        "luckygas_sms_last_receipt_timestamp_seconds", "When a receipt last came.", labels=["gateway"]
    )
    for name in routing.in_use():
        state = known.get(name) or GatewayState(gateway=name)
        stopped.add_metric([name], state.stopped_at is not None)
        if state.balance is not None:
            balance.add_metric([name], float(state.balance))
        if state.last_receipt_at is not None or tells_fate(name):
            receipt.add_metric([name], state.last_receipt_at.timestamp() if state.last_receipt_at else 0)
    yield from (stopped, balance, receipt)
