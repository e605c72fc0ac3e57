"""Counts, outcomes and cost of messages, for the API, the admin and Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from itertools import groupby
from typing import Any

from django.conf import settings
from django.db.models import Case, Count, DecimalField, Min, Q, QuerySet, Sum, Value, When
from django.db.models.functions import Coalesce, TruncDate
from django.utils import timezone
from prometheus_client import Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from notifications import gateways
from notifications.gateways import get_gateway
from notifications.models import GatewayState, NotificationHistory
from notifications.states import GOOD_NEWS, MessageStatus, Reason
from web.charts import BLUE, GREEN, ORANGE, RED, Series

# Accepted by the provider. `by_day` also counts failed messages that had been accepted.
ACCEPTED = GOOD_NEWS | {MessageStatus.EXPIRED}
TRIED = ACCEPTED | {MessageStatus.FAILED, MessageStatus.UNKNOWN}
# Certainly or possibly accepted by the provider, so they may be on the bill.
PAID = ACCEPTED | {MessageStatus.UNKNOWN}
# Final statuses that a receipt can give an accepted message.
ENDED = frozenset({MessageStatus.DELIVERED, MessageStatus.FAILED, MessageStatus.EXPIRED})
# Groups of statuses for charts. Expired messages count as failed.
OUTCOMES = {
    MessageStatus.DELIVERED: {MessageStatus.DELIVERED}, MessageStatus.SENT: {MessageStatus.SENT},
    MessageStatus.UNKNOWN: {MessageStatus.UNKNOWN},
    MessageStatus.FAILED: {MessageStatus.FAILED, MessageStatus.EXPIRED},
}  # fmt: skip
COLOURS = {
    MessageStatus.DELIVERED: GREEN,
    MessageStatus.SENT: BLUE,
    MessageStatus.UNKNOWN: ORANGE,
    MessageStatus.FAILED: RED,
}
# Target for the share of accepted messages, and for that of delivered messages.
GOAL = 0.95
NO_POINTS = Value(0, DecimalField(max_digits=12, decimal_places=2))

Row = dict[str, Any]
SENDINGS = Histogram(
    "luckygas_sms_send_seconds",
    "Duration of one sending with its retries, by outcome.",
    ["gateway", "kind", "outcome"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60),
)


def oldest_due(now: datetime) -> Min:
    """Returns an aggregate: since when the oldest pending message waits.

    Only messages count that are due, or that were tried in vain (provider busy or unreachable, or an unknown code).
    """
    # A busy provider's refusal postpones `send_after`, but the message has waited since `created_at`.
    busy = Q(status_reason__in=[Reason.BUSY, Reason.UNREACHABLE, Reason.UNKNOWN_CODE])
    due = Q(status=MessageStatus.PENDING) & (busy | Q(send_after=None) | Q(send_after__lte=now))
    since = Case(When(busy, then="created_at"), default=Coalesce("send_after", "created_at"))
    return Min(since, filter=due)


def summary(first: date, last: date) -> Row:
    """Returns figures of the messages created from `first` to `last`, both included, in days of Taipei.

    Holds the sums, the rows of `by_day` as `days`, and those of `by_gateway` as `gateways`.
    """
    messages = NotificationHistory.objects.filter(
        created_at__gte=midnight(first), created_at__lt=midnight(last + timedelta(days=1))
    )
    rows = list(by_day(messages))
    return {"from": first, "to": last, **figures(rows), "days": rows, "gateways": by_gateway(rows)}


def by_day(messages: QuerySet[NotificationHistory]) -> QuerySet[NotificationHistory, Row]:
    """Sums messages, segments and points by day, gateway and status. `taken`: those that the provider accepted."""
    accepted = Q(status__in=ACCEPTED) | Q(status=MessageStatus.FAILED, sent_at__isnull=False)
    return (
        messages.annotate(day=TruncDate("created_at"))
        .values("day", "gateway", "status")
        .annotate(
            messages=Count("pk"), segments=Sum("segments"), points=Sum("points", default=NO_POINTS),
            taken=Count("pk", filter=accepted),
        )
        .order_by("day", "gateway", "status")
    )  # fmt: skip


def by_gateway(rows: list[Row]) -> list[Row]:
    """Returns the figures of each gateway on each day, from rows of `by_day`. Skips messages without a gateway."""
    groups = groupby(rows, lambda row: (row["day"], row["gateway"]))
    return [{"day": day, "gateway": gateway, **figures(list(group))} for (day, gateway), group in groups if gateway]


def figures(rows: list[Row]) -> Row:
    """Sums rows of `by_day`, and adds the accepted and the delivered share (0 to 1; None without such messages)."""
    reporting = [row for row in rows if sends_receipts(row["gateway"])]
    tried = total(rows, "messages", TRIED)
    return {
        "messages": sum(row["messages"] for row in rows),
        "tried": tried,
        "segments": total(rows, "segments", PAID),
        "points": sum(row["points"] for row in rows),
        "taken_share": share(sum(row["taken"] for row in rows), tried),
        "delivered_share": share(
            total(reporting, "messages", {MessageStatus.DELIVERED}), total(reporting, "taken", ENDED)
        ),
    }


def sends_receipts(gateway: str) -> bool:
    """Whether this gateway reports if messages were delivered. False for one that is no longer installed."""
    return gateway in settings.SMS_GATEWAYS and get_gateway(gateway).sends_receipts


def share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def midnight(day: date) -> datetime:
    """Returns the start of a day in Taipei. A comparison with it can use the index of `created_at`."""
    return timezone.make_aware(datetime.combine(day, time.min))


def total(rows: Iterable[Row], column: str, statuses: Iterable[MessageStatus]) -> int:
    return sum(row[column] for row in rows if row["status"] in statuses)


def outcomes(counts: Iterable[Mapping[str, int]]) -> tuple[Series, ...]:
    """Returns the series of a stacked chart, the lowest first. Each of `counts` holds one column's counts by status."""
    columns = list(counts)
    return tuple(
        Series(
            str(outcome.label),
            tuple(sum(column.get(status, 0) for status in statuses) for column in columns),
            COLOURS[outcome],
        )
        for outcome, statuses in OUTCOMES.items()
    )


def gauges() -> Iterator[Metric]:
    """Yields the gauges of messages and gateways, from the database."""
    yield from _message_gauges()
    yield from _gateway_gauges()


def _message_gauges() -> Iterator[Metric]:
    now = timezone.now()
    counts = NotificationHistory.objects.filter(status__in=[MessageStatus.PENDING, MessageStatus.UNKNOWN]).aggregate(
        pending=Count("pk", filter=Q(status=MessageStatus.PENDING)),
        unknown=Count("pk", filter=Q(status=MessageStatus.UNKNOWN)),
        oldest=oldest_due(now),
    )
    waited = (now - counts["oldest"]).total_seconds() if counts["oldest"] else 0
    yield GaugeMetricFamily("luckygas_sms_pending", "Messages that wait to be sent.", counts["pending"])
    yield GaugeMetricFamily("luckygas_sms_unknown", "Messages that may or may not have gone out.", counts["unknown"])
    yield GaugeMetricFamily(
        "luckygas_sms_oldest_pending_seconds",
        "How long the oldest message that could go out now has waited.",
        max(waited, 0),
    )


def _gateway_gauges() -> Iterator[Metric]:
    """Yields gauges of the gateways in use: whether stopped, the balance if known, and the time of the last receipt.

    That time is 0 before the first receipt, and missing for a provider that sends none.
    """
    known = {state.gateway: state for state in GatewayState.objects.all()}
    stopped = GaugeMetricFamily(
        "luckygas_sms_gateway_stopped", "1 while the gateway is stopped because of its own answer.", labels=["gateway"]
    )
    balance = GaugeMetricFamily(
        "luckygas_sms_balance_points", "Points left, from the provider's last answer.", labels=["gateway"]
    )
    receipt = GaugeMetricFamily(
        "luckygas_sms_last_receipt_timestamp_seconds", "Time of the last receipt.", labels=["gateway"]
    )
    for name in gateways.names_in_use():
        state = known.get(name) or GatewayState(gateway=name)
        stopped.add_metric([name], state.stopped_at is not None)
        if state.balance is not None:
            balance.add_metric([name], float(state.balance))
        if state.last_receipt_at is not None or sends_receipts(name):
            receipt.add_metric([name], state.last_receipt_at.timestamp() if state.last_receipt_at else 0)
    yield from (stopped, balance, receipt)
