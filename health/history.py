"""Figures by minute and by hour: takes the hourly snapshot, deletes old rows, and reads both for the dashboard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, QuerySet
from django.db.models.functions import TruncHour, TruncMinute
from django.utils import timezone

from health import parts
from notifications.models import NotificationHistory
from orders.models import Order
from orders.states import OPEN
from realtime import presence, statistics
from web.models import SystemMetric
from web.system_metrics import HOUR, MINUTE, Counts, by_label, delete_old_written_counts, minute_of, minutes, total

Figures = dict[str, Any]
# Older rows are deleted. 400 days are about ten thousand rows of an hour.
MAX_MINUTE_AGE, MAX_HOUR_AGE = timedelta(days=2), timedelta(days=400)
# The maximum number of rows deleted per hour. If the clock is wrong for an hour, at most two hours of figures are lost.
MAX_DELETED_MINUTES, MAX_DELETED_HOURS = 120, 2
# Requests below this path are not failed requests: the 503 of a health check is its result.
HEALTH_CHECKS = "/health/"
# How many minutes and how many hours the dashboard shows.
MINUTES, HOURS = 60, 24


def hour_of(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def on_new_minute(sender: object, **kwargs: Any) -> None:
    """Receiver of `new_minute`: takes the snapshot of the last full hour if there is none, so no timer is needed."""
    record()


def record() -> SystemMetric | None:
    """Takes the snapshot of the last full hour and deletes old rows. Returns None if the snapshot exists already."""
    now = timezone.now()
    hour = {"span": SystemMetric.Span.HOUR, "at": hour_of(now) - HOUR}
    if SystemMetric.objects.filter(**hour).exists():
        return None
    row, is_new = SystemMetric.objects.get_or_create(**hour, defaults={"metrics_json": snapshot(hour_of(now), now)})
    _delete_oldest(SystemMetric.Span.MINUTE, now - MAX_MINUTE_AGE, MAX_DELETED_MINUTES)
    _delete_oldest(SystemMetric.Span.HOUR, now - MAX_HOUR_AGE, MAX_DELETED_HOURS)
    delete_old_written_counts(now, alone=MAX_MINUTE_AGE, shared=MAX_HOUR_AGE)
    return row if is_new else None


def _delete_oldest(span: str, before: datetime, limit: int) -> None:
    old: QuerySet[SystemMetric] = SystemMetric.objects.filter(span=span, at__lt=before).order_by("at")
    SystemMetric.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:limit])).delete()


def snapshot(hour: datetime, now: datetime) -> Figures:
    """Returns the present figures and the figures of the hour that ended at `hour`."""
    messages = parts.count_messages(now)
    names = ("notifications_sent_today", "notifications_failed_today", "pending", "unknown")
    return {
        "websocket_connections": presence.live_rows().count(),
        **{name: messages[name] for name in names},
        "orders": open_orders(),
        **sum_minutes(list(minutes(hour - HOUR, hour))),
    }


def open_orders() -> dict[str, int]:
    return dict(Order.objects.open().by_status())


def open_orders_at(minute: SystemMetric) -> dict[str, int]:
    counts = by_label(minute.metrics_json["gauges"], "luckygas_orders")
    return {status: int(count) for status, count in counts.items() if status in OPEN and count}


def sum_minutes(rows: Sequence[SystemMetric]) -> Figures:
    """Sums up minutes: mean and maximum connections, events per second, latencies in milliseconds, errors.

    Minutes without a row (no server was running) are skipped. Without rows connections and events are None, without
    samples latencies are None, and the counts are 0.
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
        "errors": int(statistics.count_errors(counts)),
        "failed_requests": failed_requests(counts),
    }


def failed_requests(counts: Counts) -> int:
    """Counts requests that were answered with 5xx, except health checks."""
    failed = 0.0
    for labels, count in by_label(counts, "luckygas_http_requests_total").items():
        _method, route, status = labels.split(" ")
        failed += count if status.startswith("5") and not route.startswith(HEALTH_CHECKS) else 0
    return int(failed)


NONE: Figures = sum_minutes([])


@dataclass(frozen=True, slots=True)
class Moment:
    """A minute or an hour, with the `figures` of `sum_minutes`.

    `orders` and `messages` are counts by status. `orders` is None if no server was running.
    """

    at: datetime
    figures: Figures
    orders: Mapping[str, int] | None
    messages: Mapping[str, int]

    @property
    def label(self) -> str:
        return f"{timezone.localtime(self.at):%H:%M}"


def last_hour(now: datetime) -> list[Moment]:
    """Returns the last 60 full minutes, the oldest first."""
    end = minute_of(now)
    starts = [end - MINUTE * back for back in range(MINUTES, 0, -1)]
    known = {row.at: row for row in minutes(starts[0], end)}
    messages = _messages(TruncMinute("created_at"), starts[0])
    return [
        Moment(
            at,
            sum_minutes([known[at]]) if at in known else NONE,
            open_orders_at(known[at]) if at in known else None,
            messages.get(at, {}),
        )
        for at in starts
    ]


def last_day(now: datetime) -> list[Moment]:
    """Returns 24 hours, the oldest first. The last one is the present, unfinished hour."""
    this = hour_of(now)
    starts = [this - HOUR * back for back in range(HOURS - 1, -1, -1)]
    rows = SystemMetric.objects.filter(span=SystemMetric.Span.HOUR, at__gte=starts[0], at__lt=this)
    # A row that another version of the site wrote may lack figures.
    known = {row.at: NONE | row.metrics_json for row in rows}
    known[this] = sum_minutes(list(minutes(this))) | {"orders": open_orders()}
    messages = _messages(TruncHour("created_at"), starts[0])
    return [Moment(at, known.get(at, NONE), known.get(at, {}).get("orders"), messages.get(at, {})) for at in starts]


def _messages(begins: TruncMinute | TruncHour, since: datetime) -> dict[datetime, dict[str, int]]:
    """Counts the messages created since `since`, by the minute or hour of creation and by present status."""
    messages = NotificationHistory.objects.filter(created_at__gte=since).order_by()
    rows = messages.annotate(begins=begins).values_list("begins", "status").annotate(count=Count("pk"))
    found: dict[datetime, dict[str, int]] = {}
    for at, status, count in rows:
        found.setdefault(at, {})[status] = count
    return found


PERIODS = {"hour": last_hour, "day": last_day}
