"""How long things take: named operations, and what the cache answered (README, “Performance”).

Each process counts in its memory; every few seconds a server's hub and the sender write that down as one row a process,
which whoever asks sums.
"""

from __future__ import annotations

import math
import os
import secrets
import socket
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import cache, wraps
from time import perf_counter
from typing import Any, ParamSpec, TypeVar

from web import flags, metrics

P = ParamSpec("P")
Result = TypeVar("Result")
Figures = dict[str, Any]

# A figure belongs to the bucket that ends at LEAST_MS · STEP^n: percentiles are right to a fifth.
LEAST_MS, STEP = 0.05, 1.2
SQL = "sql"


@cache
def instance() -> str:
    """The name of this process: host and process id may be alike in two containers, the random part is not."""
    return f"{socket.gethostname()[-60:]}:{os.getpid()}:{secrets.token_hex(3)}"


class Recorder:
    """Of one process, since its start. For any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._total_ms: defaultdict[str, float] = defaultdict(float)
        self._buckets: defaultdict[str, Counter[int]] = defaultdict(Counter)
        self._lookups: defaultdict[str, Counter[str]] = defaultdict(Counter)

    def took(self, operation: str, seconds: float) -> None:
        ms = seconds * 1000
        bucket = max(0, math.ceil(math.log(ms / LEAST_MS, STEP))) if ms > LEAST_MS else 0
        with self._lock:
            self._total_ms[operation] += ms
            self._buckets[operation][bucket] += 1

    def looked_up(self, cache: str, *, found: bool) -> None:
        with self._lock:
            self._lookups[cache]["hits" if found else "misses"] += 1

    def figures(self) -> Figures:
        """As a row holds them: JSON."""
        with self._lock:
            operations = {
                name: {"total_ms": round(self._total_ms[name], 3), "buckets": {str(n): c for n, c in buckets.items()}}
                for name, buckets in self._buckets.items()
            }
            return {"operations": operations, "caches": {name: dict(seen) for name, seen in self._lookups.items()}}


recorder = Recorder()


def measured(operation: str) -> Callable[[Callable[P, Result]], Callable[P, Result]]:
    """Has each call of a function timed under this name, while the switch is on."""

    def decorate(function: Callable[P, Result]) -> Callable[P, Result]:
        @wraps(function)
        def timed(*args: P.args, **kwargs: P.kwargs) -> Result:
            if not flags.known(flags.PERFORMANCE):
                return function(*args, **kwargs)
            begun = perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                recorder.took(operation, perf_counter() - begun)

        return timed

    return decorate


def _time_sql(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    begun = perf_counter()
    try:
        return execute(sql, params, many, context)
    finally:
        seconds = perf_counter() - begun
        metrics.SQL.labels(context["connection"].alias).observe(seconds)
        if flags.known(flags.PERFORMANCE):
            recorder.took(SQL, seconds)


def connection_made(connection: Any, **kwargs: Any) -> None:
    """Has the queries of a new database connection timed."""
    if _time_sql not in connection.execute_wrappers:
        connection.execute_wrappers.append(_time_sql)


def looked_up(cache: str, *, found: bool) -> None:
    (metrics.HITS if found else metrics.MISSES).labels(cache).inc()
    recorder.looked_up(cache, found=found)


def operations(figures: Iterable[Figures]) -> list[dict[str, Any]]:
    """Each operation, the one that took longest in all first; milliseconds."""
    totals, buckets = Counter[str](), defaultdict[str, Counter[int]](Counter)
    for of_process in figures:
        for name, seen in of_process["operations"].items():
            totals[name] += seen["total_ms"]
            buckets[name].update({int(bucket): count for bucket, count in seen["buckets"].items()})
    return [_operation(name, total, buckets[name]) for name, total in totals.most_common()]


def _operation(name: str, total: float, buckets: Mapping[int, int]) -> dict[str, Any]:
    count = sum(buckets.values())
    return {
        "operation": name, "count": count, "mean_ms": round(total / count, 3), "p50_ms": percentile(buckets, 0.5),
        "p95_ms": percentile(buckets, 0.95), "total_ms": round(total, 1),
    }  # fmt: skip


def percentile(buckets: Mapping[int, int], share: float) -> float:
    """Within its bucket by linear interpolation."""
    rank, below = sum(buckets.values()) * share, 0
    for bucket, inside in sorted(buckets.items()):
        if below + inside >= rank:
            lower, upper = (LEAST_MS * STEP ** (bucket - 1) if bucket else 0.0), LEAST_MS * STEP**bucket
            return round(lower + (upper - lower) * (rank - below) / inside, 3)
        below += inside
    return 0.0


def lookups(figures: Iterable[Figures]) -> dict[str, Counter[str]]:
    """`hits` and `misses` of each cache."""
    found: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for of_process in figures:
        for name, seen in of_process["caches"].items():
            found[name].update(seen)
    return found
