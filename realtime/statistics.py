"""What the hubs count: each for itself, written down every few seconds, summed over all servers by whoever asks.

Counters are names with numbers, so that summing and comparing them is all the arithmetic there is: `events`,
`deliveries`, `messages`, `connects`, `reconnects`, `resyncs`, `bell_missed`, `closed`, `closed_ms`, and by kind
`errors.<code>`, `closes.<code>`, `lag.<milliseconds at most>`; `lag_ms` is the sum of these.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import pairwise
from time import monotonic
from typing import Any, TypeVar

from django.db.models import Count
from django.dispatch import Signal
from django.utils import timezone

from realtime import presence
from realtime.models import HubStatistics
from web.timings import instance

Figures = dict[str, Any]
Number = TypeVar("Number", int, float)
# Upper ends in milliseconds, from the change to the write on sockets; what took longer is `more`.
LAGS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
LAG_NAMES = (*map(str, LAGS), "more")
LAG_COUNTERS = tuple(f"lag.{name}" for name in LAG_NAMES)
# Rates are of the last minute.
LATELY_SECONDS = 60.0
# A rate of less time than this would be chance.
LEAST_SECONDS = 5.0
# Close codes counted by name: the standard's and ours. A client may send any other, and would fill the row.
KNOWN_CODES = {*range(1000, 1016), 4008, *range(4400, 4500)}

# Some hub of this process has written its figures down, on a thread that may use the database.
written = Signal()


class Statistics:
    """Of one hub, since its start. Used on its event loop only; counting is an addition."""

    def __init__(self) -> None:
        self.totals: Counter[str] = Counter()
        self._looked = monotonic()
        self._past: deque[tuple[float, Counter[str]]] = deque([(self._looked, Counter())])
        self._taken: Counter[str] = Counter()

    def count(self, name: str, number: int = 1) -> None:
        self.totals[name] += number

    def looked(self, changed_at: Iterable[datetime]) -> None:
        """A round is done: the log was read and what was new, changed at these times, was written."""
        self._looked = monotonic()
        now, lags = timezone.now(), 0.0
        for moment in changed_at:
            lag = (now - moment).total_seconds() * 1000
            lags += lag
            self.totals["events"] += 1
            self.totals[LAG_COUNTERS[bisect_left(LAGS, lag)]] += 1
        self.totals["lag_ms"] += max(round(lags), 0)

    @property
    def seconds_since_look(self) -> float:
        return round(monotonic() - self._looked, 1)

    def opened(self, *, resumes: bool, afresh: bool) -> None:
        """A connection; it came with a cursor, which may have been gone."""
        self.totals["connects"] += 1
        self.totals["reconnects"] += resumes
        self.totals["resyncs"] += afresh

    def ended(self, code: int, seconds: float) -> None:
        self.totals[f"closes.{code if code in KNOWN_CODES else 'other'}"] += 1
        self.totals["closed"] += 1
        self.totals["closed_ms"] += round(seconds * 1000)

    def take(self) -> Counter[str]:
        """What was counted since this was last asked."""
        new, self._taken = self.totals - self._taken, self.totals.copy()
        return new

    def figures(self) -> Figures:
        """Everything since the start, and what of it is of the last minute."""
        now = monotonic()
        self._past.append((now, self.totals.copy()))
        while len(self._past) > 2 and self._past[1][0] <= now - LATELY_SECONDS:
            self._past.popleft()
        then, before = self._past[0]
        return {"totals": dict(self.totals), "lately": dict(self.totals - before), "seconds": now - then}


def write(figures: Figures, now: datetime) -> None:
    """Makes `figures` those of this process, and forgets those of the dead."""
    row = HubStatistics(instance=instance(), figures=figures, written_at=now)
    HubStatistics.objects.bulk_create(
        [row], update_conflicts=True, unique_fields=["instance"], update_fields=["figures", "written_at"]
    )
    HubStatistics.objects.filter(written_at__lt=now - presence.DEAD).delete()
    written.send(sender=HubStatistics)


def living() -> list[Figures]:
    """What each server that lives last wrote down."""
    alive = HubStatistics.objects.filter(written_at__gte=timezone.now() - presence.DEAD)
    return list(alive.values_list("figures", flat=True))


def lately(hubs: Iterable[Figures] | None = None) -> Counter[str]:
    """Everything that was counted in the last minute, of all servers (or of these)."""
    found = Counter[str]()
    for hub in living() if hubs is None else hubs:
        found.update(hub["lately"])
    return found


def summary() -> Figures:
    """Of all servers that live. Rates a second, of the last minute; times in milliseconds, durations in seconds."""
    hubs = living()
    totals, rates = Counter[str](), defaultdict[str, float](float)
    for hub in hubs:
        totals.update(hub["totals"])
        for name, count in hub["lately"].items():
            rates[name] += count / max(hub["seconds"], LEAST_SECONDS)
    lags = kinds(lately(hubs), "lag.")
    return {
        **connections(), "servers": len(hubs),
        "events_per_second": round(rates["events"], 3), "deliveries_per_second": round(rates["deliveries"], 3),
        "reconnects": totals["reconnects"], "reconnect_rate": round(rates["reconnects"], 3),
        "resyncs": totals["resyncs"], "disconnects": kinds(totals, "closes."),
        "errors": kinds(totals, "errors."), "error_rate": round(sum(kinds(rates, "errors.").values()), 3),
        "average_duration": round(totals["closed_ms"] / totals["closed"] / 1000, 1) if totals["closed"] else None,
        "bell_missed": totals["bell_missed"],
        "hub_lag_ms": percentile(lags, 0.5), "hub_lag_p99_ms": percentile(lags, 0.99),
        "hub_lag_histogram": {name: totals[f"lag.{name}"] for name in LAG_NAMES},
    }  # fmt: skip


def connections() -> Figures:
    """The sockets that are open now, by role and by endpoint."""
    role, endpoint = Counter[str](), Counter[str]()
    for row in presence.live().order_by().values("role", "endpoint").annotate(count=Count("pk")):
        role[row["role"]] += row["count"]
        endpoint[row["endpoint"]] += row["count"]
    return {"connections": role.total(), "by_role": dict(role), "by_endpoint": dict(endpoint)}


def kinds(counts: Mapping[str, Number], prefix: str) -> dict[str, Number]:
    return {name.removeprefix(prefix): count for name, count in counts.items() if name.startswith(prefix)}


def percentile(lags: Mapping[str, int], share: float) -> float | None:
    """Within its bucket by linear interpolation; at most the last bound. None without an event."""
    rank, below = sum(lags.values()) * share, 0
    for (lower, upper), name in zip(pairwise((0, *LAGS, LAGS[-1])), LAG_NAMES, strict=True):
        inside = lags.get(name, 0)
        if inside and below + inside >= rank:
            return round(lower + (upper - lower) * (rank - below) / inside, 1)
        below += inside
    return None
