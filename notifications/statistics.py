"""How many messages, how they ended, and what they cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timedelta
from itertools import groupby
from typing import Any

from django.conf import settings
from django.db.models import Case, Count, DecimalField, Min, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Coalesce, TruncDate
from django.utils import timezone

from notifications.gateways import get_gateway
from notifications.models import NotificationHistory
from notifications.states import GOOD_NEWS, Reason, Status
from web.charts import BLUE, GREEN, ORANGE, RED, Series

TAKEN = GOOD_NEWS | {Status.EXPIRED}
TRIED = TAKEN | {Status.FAILED, Status.UNKNOWN}
# Certainly, or possibly, taken by the provider: what the bill may show.
PAID = TAKEN | {Status.UNKNOWN}
ENDED = frozenset({Status.DELIVERED, Status.FAILED, Status.EXPIRED})
# How messages ended, in short; what did not arrive in time did not arrive.
OUTCOMES = {
    Status.DELIVERED: {Status.DELIVERED}, Status.SENT: {Status.SENT}, Status.UNKNOWN: {Status.UNKNOWN},
    Status.FAILED: {Status.FAILED, Status.EXPIRED},
}  # fmt: skip
COLOURS = {Status.DELIVERED: GREEN, Status.SENT: BLUE, Status.UNKNOWN: ORANGE, Status.FAILED: RED}
# The share that the house wants to be taken, and to arrive.
GOAL = 0.95
NO_POINTS = Value(0, DecimalField(max_digits=12, decimal_places=2))

Row = dict[str, Any]


def oldest_due(now: datetime) -> Min:
    """The aggregate that says since when the longest waiting message waits of those that might go out now."""
    # A provider that did not take it is asked again: that moves `send_after`, and not since when the message waits.
    busy = Q(status_reason__in=[Reason.BUSY, Reason.UNREACHABLE, Reason.UNKNOWN_CODE])
    due = Q(status=Status.PENDING) & (busy | Q(send_after=None) | Q(send_after__lte=now))
    since = Case(When(busy, then="created_at"), default=Coalesce("send_after", "created_at"))
    return Min(since, filter=due)


def summary(first: date, last: date) -> Row:
    """Of the messages made from `first` to `last`, both included, in Taipei's days."""
    made = NotificationHistory.objects.filter(
        created_at__gte=midnight(first), created_at__lt=midnight(last + timedelta(days=1))
    )
    rows = list(by_day(made))
    return {"from": first, "to": last, **figures(rows), "days": rows, "gateways": by_gateway(rows)}


def by_day(messages: QuerySet[NotificationHistory]) -> QuerySet[NotificationHistory, Row]:
    """One row for each day, gateway and status that there is."""
    taken = Q(status__in=TAKEN) | Q(status=Status.FAILED, sent_at__isnull=False)
    return (
        messages.annotate(day=TruncDate("created_at"))
        .values("day", "gateway", "status")
        .annotate(
            messages=Count("pk"), segments=Sum("segments"), points=Sum("points", default=NO_POINTS),
            taken=Count("pk", filter=taken),
        )
        .order_by("day", "gateway", "status")
    )  # fmt: skip


def by_gateway(rows: list[Row]) -> list[Row]:
    """The figures of each gateway on each day."""
    groups = groupby(rows, lambda row: (row["day"], row["gateway"]))
    return [{"day": day, "gateway": gateway, **figures(list(group))} for (day, gateway), group in groups if gateway]


def figures(rows: list[Row]) -> Row:
    """Rows of `by_day` in short. A share is None where there is nothing that it could be a share of."""
    told = [row for row in rows if tells_fate(row["gateway"])]
    tried = total(rows, "messages", TRIED)
    return {
        "messages": sum(row["messages"] for row in rows),
        "tried": tried,
        "segments": total(rows, "segments", PAID),
        "points": sum(row["points"] for row in rows),
        "taken_share": share(sum(row["taken"] for row in rows), tried),
        "delivered_share": share(total(told, "messages", {Status.DELIVERED}), total(told, "taken", ENDED)),
    }


def tells_fate(gateway: str) -> bool:
    """Whether anybody would tell that a message by this gateway arrived; what is no longer installed does not."""
    return gateway in settings.SMS_GATEWAYS and get_gateway(gateway).tells_fate


def share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def midnight(day: date) -> datetime:
    """The beginning of a day, for an index of moments."""
    return timezone.make_aware(datetime.combine(day, time.min))


def total(rows: Iterable[Row], column: str, statuses: Iterable[Status]) -> int:
    return sum(row[column] for row in rows if row["status"] in statuses)


def outcomes(counts: Iterable[Mapping[str, int]]) -> tuple[Series, ...]:
    """From the ground up; each of `counts` is messages by status at one place of the axis."""
    columns = list(counts)
    return tuple(
        Series(
            str(outcome.label),
            tuple(sum(column.get(status, 0) for status in statuses) for column in columns),
            COLOURS[outcome],
        )
        for outcome, statuses in OUTCOMES.items()
    )
