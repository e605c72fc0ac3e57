"""The minutes: what all servers counted in each, written once by whichever hub comes first when it is over.

`{"connections": 12, "events": 40, "deliveries": 300, "bell_missed": 0, "errors": 1, "lags": {"5": 38, "20": 2},
"orders": {"pending": 3, …}}`: sockets open at its end, counts of the minute, events by milliseconds from the change to
the sockets, and open orders by status at its end.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, F, QuerySet
from django.utils import timezone

from health.models import Minute
from orders.models import Order
from realtime import presence, statistics
from realtime.models import Event

Figures = dict[str, Any]
MINUTE = timedelta(minutes=1)
KEPT = timedelta(days=2)
MINUTES_AN_HOUR = 60


def minute_of(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


class Sampler:
    """Of one process. `tick()` costs a query a minute, and some more where no other server was faster."""

    def __init__(self) -> None:
        self._done: datetime | None = None

    def tick(self) -> bool:
        """Writes the minute that is over; whether that was ours to do."""
        ended = minute_of(timezone.now()) - MINUTE
        if ended == self._done:
            return False
        Minute.objects.get_or_create(at=ended)
        unwritten = Minute.objects.filter(at=ended, figures__isnull=True)
        written = unwritten.exists() and unwritten.update(figures=figures(ended)) == 1
        self._done = ended
        return written


def figures(minute: datetime) -> Figures:
    lately = statistics.lately()
    return {
        "connections": presence.live().count(),
        # From the log itself: each hub counts every event.
        "events": Event.objects.filter(created_at__gte=minute, created_at__lt=minute + MINUTE).count(),
        "deliveries": lately["deliveries"],
        "bell_missed": lately["bell_missed"],
        "errors": sum(statistics.kinds(lately, "errors.").values()),
        "lags": statistics.kinds(lately, "lag."),
        "orders": open_orders(),
    }


def open_orders() -> dict[str, int]:
    counted = Order.objects.open().order_by().values_list("status").annotate(count=Count("pk"))
    return dict(counted)


def count_failed(minute: datetime, number: int) -> None:
    """So many requests of this minute were answered by 5xx."""
    Minute.objects.get_or_create(at=minute)
    Minute.objects.filter(at=minute).update(failed_requests=F("failed_requests") + number)


def prune() -> None:
    """Once an hour. A clock that is ahead for an hour takes no more than two hours of them."""
    delete_oldest(Minute.objects.filter(at__lt=timezone.now() - KEPT).order_by("at"), 2 * MINUTES_AN_HOUR)


def delete_oldest(old: QuerySet[Any], most: int) -> None:
    """Deletes the first `most` rows: what is too old is told by the clock, which may be wrong for a while."""
    old.model._default_manager.filter(pk__in=list(old.values_list("pk", flat=True)[:most])).delete()
