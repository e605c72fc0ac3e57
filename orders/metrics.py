"""What Prometheus learns of orders."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterator
from datetime import timedelta

from django.db.models import Count
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from orders.models import Order
from orders.states import Status

# How far back: what was delivered years ago is no news, and would be counted at each scrape.
DAYS = 7


def rows() -> Iterator[Metric]:
    """As the database has it now, in one query."""
    since = timezone.localdate() - timedelta(days=DAYS)
    counted = Order.objects.filter(scheduled_date__gte=since).order_by().values_list("status").annotate(Count("pk"))
    tally = Tally(dict(counted))
    orders = GaugeMetricFamily(
        "luckygas_orders", f"Orders of the last {DAYS} days and of those to come, by status.", labels=["status"]
    )
    for status in Status:
        orders.add_metric([status], tally[status])
    yield orders
