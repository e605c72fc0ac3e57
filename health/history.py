"""The last hour by minutes and the last day by hours, as the dashboard draws them. A few queries each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count
from django.db.models.functions import TruncHour, TruncMinute
from django.utils import timezone

from health import snapshots
from health.snapshots import Figures
from notifications.models import NotificationHistory
from web.models import SystemMetric
from web.system_metrics import HOUR, MINUTE, minute_of, minutes

MINUTES, HOURS = 60, 24
NONE: Figures = snapshots.summed([])


@dataclass(frozen=True, slots=True)
class Moment:
    """A minute or an hour. `figures`: as `snapshots.summed`; `orders`, `messages`: counts by status."""

    at: datetime
    figures: Figures
    orders: Mapping[str, int] | None
    messages: Mapping[str, int]

    @property
    def label(self) -> str:
        return f"{timezone.localtime(self.at):%H:%M}"


def last_hour(now: datetime) -> list[Moment]:
    """The minutes that are over, the oldest first."""
    end = minute_of(now)
    starts = [end - MINUTE * back for back in range(MINUTES, 0, -1)]
    known = {row.at: row for row in minutes(starts[0], end)}
    messages = _messages(TruncMinute("created_at"), starts[0])
    return [
        Moment(
            at,
            snapshots.summed([known[at]]) if at in known else NONE,
            snapshots.open_orders_then(known[at]) if at in known else None,
            messages.get(at, {}),
        )
        for at in starts
    ]


def last_day(now: datetime) -> list[Moment]:
    """The hours, the oldest first; the last one is the present hour as far as it has come."""
    this = snapshots.hour_of(now)
    starts = [this - HOUR * back for back in range(HOURS - 1, -1, -1)]
    rows = SystemMetric.objects.filter(span=SystemMetric.Span.HOUR, at__gte=starts[0], at__lt=this)
    # A row of another version may lack what this one draws.
    known = {row.at: NONE | row.metrics_json for row in rows}
    known[this] = snapshots.summed(list(minutes(this))) | {"orders": snapshots.open_orders()}
    messages = _messages(TruncHour("created_at"), starts[0])
    return [Moment(at, known.get(at, NONE), known.get(at, {}).get("orders"), messages.get(at, {})) for at in starts]


def _messages(begins: TruncMinute | TruncHour, since: datetime) -> dict[datetime, dict[str, int]]:
    """Messages made since then, by status as it is now."""
    made = NotificationHistory.objects.filter(created_at__gte=since).order_by()
    rows = made.annotate(begins=begins).values_list("begins", "status").annotate(count=Count("pk"))
    found: dict[datetime, dict[str, int]] = {}
    for at, status, count in rows:
        found.setdefault(at, {})[status] = count
    return found


PERIODS = {"hour": last_hour, "day": last_day}
