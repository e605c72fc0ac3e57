"""Prometheus metrics of orders."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from django.db.models import Q
from django.utils import timezone
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from orders.models import Order
from orders.states import OPEN, OrderStatus

# Closed orders are counted if they are scheduled for the last RECENT_DAYS days or later. Counting all would cost more
# every year.
RECENT_DAYS = 7


def orders_by_status() -> Iterator[Metric]:
    """Counts open, recent and future orders by status, in one query."""
    help_text = f"Orders by status. Closed orders count only if their day is at most {RECENT_DAYS} days ago."
    orders = GaugeMetricFamily("luckygas_orders", help_text, labels=["status"])
    since = timezone.localdate() - timedelta(days=RECENT_DAYS)
    tally = Order.objects.filter(Q(status__in=OPEN) | Q(scheduled_date__gte=since)).by_status()
    for status in OrderStatus:
        orders.add_metric([status], tally[status])
    yield orders
