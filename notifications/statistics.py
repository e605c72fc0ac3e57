"""How many messages, how they ended, and what they cost."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import Count, QuerySet, Sum
from django.db.models.functions import TruncDate
from django.utils import timezone

from notifications.models import NotificationHistory
from notifications.states import Status

ARRIVED = frozenset({Status.SENT, Status.DELIVERED})
TRIED = ARRIVED | {Status.FAILED, Status.EXPIRED, Status.UNKNOWN}
# Certainly, or possibly, taken by the provider: what the bill may show.
PAID = ARRIVED | {Status.EXPIRED, Status.UNKNOWN}


def summary(first: date, last: date) -> dict[str, Any]:
    """Of the messages made from `first` to `last`, both included, in Taipei's days."""
    rows = list(by_day(first, last))
    tried = total(rows, "messages", TRIED)
    return {
        "from": first,
        "to": last,
        "messages": sum(row["messages"] for row in rows),
        "segments": total(rows, "segments", PAID),
        "success_share": round(total(rows, "messages", ARRIVED) / tried, 4) if tried else None,
        "days": rows,
    }


def by_day(first: date, last: date) -> QuerySet[NotificationHistory, dict[str, Any]]:
    """One row for each day, gateway and status that there is."""
    return (
        NotificationHistory.objects.filter(
            created_at__gte=midnight(first), created_at__lt=midnight(last + timedelta(days=1))
        )
        .annotate(day=TruncDate("created_at"))
        .values("day", "gateway", "status")
        .annotate(messages=Count("pk"), segments=Sum("segments"))
        .order_by("day", "gateway", "status")
    )


def midnight(day: date) -> datetime:
    """The beginning of a day, for an index of moments."""
    return timezone.make_aware(datetime.combine(day, time.min))


def total(rows: list[dict[str, Any]], column: str, statuses: frozenset[Status]) -> int:
    return sum(row[column] for row in rows if row["status"] in statuses)
