"""What stands above the list of messages: how they ended, by day, with a small chart."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any

from django.db.models import Max, QuerySet
from django.utils import timezone

from notifications import statistics
from notifications.models import NotificationHistory
from notifications.states import Status
from notifications.statistics import GOAL, Row, midnight, total

DAYS = 14
# From the ground up, as they are stacked; what did not arrive in time did not arrive.
STACK = {
    "delivered": {Status.DELIVERED}, "sent": {Status.SENT}, "unknown": {Status.UNKNOWN},
    "failed": {Status.FAILED, Status.EXPIRED},
}  # fmt: skip
# Pixels.
HEIGHT, STEP, BAR = 72, 34, 24


@dataclass(frozen=True, slots=True)
class Day:
    day: date | None
    counts: dict[str, int]
    points: Decimal
    bars: tuple[dict[str, Any], ...] = ()
    x: int = 0


def totals(messages: QuerySet[NotificationHistory]) -> dict[str, Any] | None:
    """Of the newest days among `messages`; None where there are none. Two queries, however many."""
    messages = messages.order_by()
    newest = messages.aggregate(at=Max("created_at"))["at"]
    if newest is None:
        return None
    first = timezone.localtime(newest).date() - timedelta(days=DAYS - 1)
    rows = list(statistics.by_day(messages.filter(created_at__gte=midnight(first))))
    days = [counted(day, list(group)) for day, group in groupby(rows, lambda row: row["day"])]
    return {
        "days": drawn(days, first), "sum": counted(None, rows), "first": first, "last": days[-1].day,
        "goal": percent(GOAL), "width": DAYS * STEP, "height": HEIGHT, **shares(statistics.figures(rows)),
    }  # fmt: skip


def shares(figures: Row) -> dict[str, Any]:
    """In words, and whether each misses the goal."""
    taken, delivered = figures["taken_share"], figures["delivered_share"]
    return {
        "taken": percent(taken), "taken_low": taken is not None and taken < GOAL,
        "delivered": percent(delivered), "delivered_low": delivered is not None and delivered < GOAL,
    }  # fmt: skip


def percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.4g} %"


def counted(day: date | None, rows: list[Row]) -> Day:
    counts = {name: total(rows, "messages", statuses) for name, statuses in STACK.items()}
    return Day(day, counts, sum((row["points"] for row in rows), Decimal()))


def drawn(days: list[Day], first: date) -> list[Day]:
    """The same with the bars of the chart: the fullest day is as high as the chart."""
    most = max(1, *(sum(day.counts.values()) for day in days))
    return [bars(day, ((day.day or first) - first).days * STEP, most) for day in days]


def bars(day: Day, x: int, most: int) -> Day:
    stacked, top = [], float(HEIGHT)
    for name, count in day.counts.items():
        height = round(HEIGHT * count / most, 1)
        top -= height
        stacked.append({"name": name, "x": x, "y": round(top, 1), "width": BAR, "height": height, "count": count})
    return Day(day.day, day.counts, day.points, tuple(bar for bar in stacked if bar["height"]), x)
