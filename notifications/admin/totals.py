"""What stands above the list of messages: how they ended, by day, with a small chart."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any

from django.db.models import Max, QuerySet
from django.utils import timezone
from django.utils.formats import date_format

from notifications import statistics
from notifications.charts import outcomes
from notifications.models import NotificationHistory
from notifications.statistics import GOAL, OUTCOMES, Row, midnight, total
from web import charts

DAYS = 14


@dataclass(frozen=True, slots=True)
class Day:
    day: date | None
    counts: dict[str, int]
    points: Decimal


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
        "days": days, "image": drawn(days, first), "sum": counted(None, rows), "first": first, "last": days[-1].day,
        "goal": percent(GOAL), **shares(statistics.figures(rows)),
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
    counts: dict[str, int] = {name.value: total(rows, "messages", statuses) for name, statuses in OUTCOMES.items()}
    return Day(day, counts, sum((row["points"] for row in rows), Decimal()))


def drawn(days: list[Day], first: date) -> str:
    """The chart, as the address of an image; days without a message have their place in it."""
    known = {day.day: day.counts for day in days}
    dates = [first + timedelta(days=number) for number in range(DAYS)]
    names = [date_format(day, "n/j") for day in dates]
    return charts.embedded(charts.bars(names, outcomes(known.get(day, {}) for day in dates)))
