"""The hours: a snapshot of what is, and the sum of the minutes that led to it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from health import parts
from orders.models import Order
from orders.states import OPEN
from realtime import presence, statistics
from web.models import SystemMetric
from web.system_metrics import HOUR, Counts, by_label, minutes, total

Figures = dict[str, Any]
KEPT_MINUTES = timedelta(days=2)
# Ten thousand rows.
KEPT_HOURS = timedelta(days=400)
# What an hour deletes at most: a clock that is ahead for an hour takes no more than two hours of them.
MOST_MINUTES, MOST_HOURS = 120, 2
# Their 503 is an answer and not a failure.
OWN = "/health/"


def hour_of(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def keep(sender: object, **kwargs: Any) -> None:
    """Receiver of `new_minute`: the first minute of an hour takes the snapshot, so that it needs no timer."""
    record()


def record() -> SystemMetric | None:
    """The snapshot of the hour that is over; None: there is one, from another server or an earlier run."""
    now = timezone.now()
    hour = {"span": SystemMetric.Span.HOUR, "at": hour_of(now) - HOUR}
    if SystemMetric.objects.filter(**hour).exists():
        return None
    row, is_new = SystemMetric.objects.get_or_create(**hour, defaults={"metrics_json": snapshot(hour_of(now), now)})
    _delete_oldest(SystemMetric.Span.MINUTE, now - KEPT_MINUTES, MOST_MINUTES)
    _delete_oldest(SystemMetric.Span.HOUR, now - KEPT_HOURS, MOST_HOURS)
    return row if is_new else None


def _delete_oldest(span: str, before: datetime, most: int) -> None:
    old: QuerySet[SystemMetric] = SystemMetric.objects.filter(span=span, at__lt=before).order_by("at")
    SystemMetric.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:most])).delete()


def snapshot(hour: datetime, now: datetime) -> Figures:
    """What is now, and the hour that ended."""
    messages = parts.count_messages(now)
    names = ("notifications_sent_today", "notifications_failed_today", "pending", "unknown")
    return {
        "websocket_connections": presence.live().count(),
        **{name: messages[name] for name in names},
        "orders": open_orders(),
        **summed(list(minutes(hour - HOUR, hour))),
    }


def open_orders() -> dict[str, int]:
    return dict(Order.objects.open().by_status())


def open_orders_then(minute: SystemMetric) -> dict[str, int]:
    counts = by_label(minute.metrics_json["gauges"], "luckygas_orders")
    return {status: int(count) for status, count in counts.items() if status in OPEN and count}


def summed(rows: Sequence[SystemMetric]) -> Figures:
    """Connections at their mean and most, events a second, latencies in milliseconds, errors; None where none counted.

    Of the minutes that have a row: in others no server was there to count.
    """
    counts = total(row.metrics_json["counts"] for row in rows)
    open_ = [sum(by_label(row.metrics_json["gauges"], "luckygas_websocket_connections").values()) for row in rows]
    events = counts.get("luckygas_events_numbered_total", 0)
    return {
        "minutes": len(rows),
        "connections": round(sum(open_) / len(open_), 1) if open_ else None,
        "connections_most": max(map(int, open_), default=None),
        "events_per_second": round(events / (60 * len(rows)), 3) if rows else None,
        "latency_p50_ms": statistics.lag_ms(counts, 0.5),
        "latency_p99_ms": statistics.lag_ms(counts, 0.99),
        "errors": int(statistics.errors(counts)),
        "failed_requests": failed_requests(counts),
    }


def failed_requests(counts: Counts) -> int:
    """Those that were answered by 5xx."""
    failed = 0.0
    for labels, count in by_label(counts, "luckygas_http_requests_total").items():
        _method, route, status = labels.split(" ")
        failed += count if status.startswith("5") and not route.startswith(OWN) else 0
    return int(failed)
