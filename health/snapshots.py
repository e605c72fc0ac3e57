"""The hours: a snapshot of what is, and the sum of the minutes that led to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from health import parts, samples
from health.models import Minute, SystemMetric
from realtime import presence, statistics

Figures = dict[str, Any]
HOUR = timedelta(hours=1)
# A row an hour: ten thousand rows.
KEPT = timedelta(days=400)


def hour_of(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def record() -> SystemMetric | None:
    """The snapshot of this hour; None: there is one, from another server or an earlier run."""
    now = timezone.now()
    hour = hour_of(now)
    if SystemMetric.objects.filter(hour=hour).exists():
        return None
    taken = snapshot(hour, now)
    with transaction.atomic():
        row, made = SystemMetric.objects.get_or_create(hour=hour, defaults={"metrics_json": taken, "created_at": now})
    samples.prune()
    samples.delete_oldest(SystemMetric.objects.filter(hour__lt=now - KEPT).order_by("hour"), 2)
    return row if made else None


def snapshot(hour: datetime, now: datetime) -> Figures:
    """What is now, and the hour that ended."""
    messages = parts.count_messages(now)
    names = ("notifications_sent_today", "notifications_failed_today", "pending", "unknown")
    minutes = list(Minute.objects.filter(at__gte=hour - HOUR, at__lt=hour))
    return {
        "websocket_connections": presence.live().count(),
        **{name: messages[name] for name in names},
        "orders": samples.open_orders(),
        **summed(minutes),
    }


def summed(minutes: Sequence[Minute]) -> Figures:
    """Connections at their mean and most, events a second, latencies in milliseconds, errors; None where none counted.

    Of the minutes in which a server counted: in others nothing was open that could have told.
    """
    counted = [minute.figures for minute in minutes if minute.figures is not None]
    open_ = [figures["connections"] for figures in counted]
    lags = Counter[str]()
    for figures in counted:
        lags.update(figures["lags"])
    return {
        "minutes": len(counted),
        "connections": round(sum(open_) / len(open_), 1) if open_ else None,
        "connections_most": max(open_, default=None),
        "events_per_second": rate(counted),
        "latency_p50_ms": statistics.percentile(lags, 0.5),
        "latency_p99_ms": statistics.percentile(lags, 0.99),
        "errors": sum(figures["errors"] for figures in counted),
        "failed_requests": sum(minute.failed_requests for minute in minutes),
    }


def rate(counted: Sequence[Figures]) -> float | None:
    events = sum(figures["events"] for figures in counted)
    return round(events / (60 * len(counted)), 3) if counted else None
