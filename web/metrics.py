"""What is counted: metrics of the one `prometheus_client` registry, and those that all apps share.

`/health/metrics` shows the registry. `web.system_metrics` writes what is `kept` to the table `system_metrics`.

Several processes count as one (workers, senders, commands): each in files of its own, in one directory.
prometheus_client names the files by process id: each worker that is replaced, and each command that cron starts, would
leave its own for ever; and two containers that share the directory have processes of one id. So they are named by
places: a process takes the lowest that is free, and goes on where the one before it ended. There are as many files as
ever ran at once, no count is lost, and nothing need be cleared away. For that `share` sets
`prometheus_client.values`, which the package does not document: it has no other place for a name that is not the
process id. Without a directory (`PROMETHEUS_MULTIPROC_DIR`) it is not called.
"""

from __future__ import annotations

import fcntl
import itertools
import math
import os
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from io import TextIOWrapper
from pathlib import Path
from typing import TypeVar

from django.conf import settings
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram, Summary, values
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

Wrapped = TypeVar("Wrapped", bound=MetricWrapperBase)
# The names of the metrics that the table has, too.
KEPT: set[str] = set()
# What the database has now. Apps add to it when they are ready; asked at each scrape and once a minute.
GAUGES: list[Callable[[], Iterable[Metric]]] = []


def kept(metric: Wrapped) -> Wrapped:
    """Has the table keep this metric: those that a page or the API shows, so that its rows stay small."""
    KEPT.update(family.name for family in metric.describe())
    return metric


# Metrics without labels are not made here: models import this module before `web.metrics.share` is called.
HITS = kept(Counter("luckygas_cache_hits", "Answers taken from a cache.", ["cache"]))
MISSES = kept(Counter("luckygas_cache_misses", "Answers that were not in the cache.", ["cache"]))
SQL = Summary("luckygas_sql_query_seconds", "What the database took, by its alias.", ["alias"])
# 1, 2, 5, 10 and so on, from a tenth of a millisecond on: a percentile lies between the right two of them.
STEPS = tuple(float(f"{step}e{power}") for power in range(-4, 2) for step in (1, 2, 5))
OPERATIONS = kept(Histogram("luckygas_operation_seconds", "What an operation took.", ["operation"], buckets=STEPS))


def percentile(buckets: Mapping[float, float], share: float) -> float | None:
    """Of counts of what is at most each bound, within a bucket by linear interpolation. None: nothing was counted.

    What lies above the last finite bound counts as that bound.
    """
    rank, lower, below = share * max(buckets.values(), default=0), 0.0, 0.0
    for bound, count in sorted(buckets.items()):
        if count >= rank and count > below:
            return lower if bound == math.inf else lower + (bound - lower) * (rank - below) / (count - below)
        lower, below = bound, count
    return None


def share(directory: Path) -> None:
    """To be called before any metric is made, but for those with labels."""
    directory.mkdir(parents=True, exist_ok=True)
    values.ValueClass = values.MultiProcessValue(lambda: _place(directory, os.getpid())[0])  # type: ignore[no-untyped-call]


@lru_cache(maxsize=1)
def _place(directory: Path, process: int) -> tuple[int, TextIOWrapper]:
    """The number of this process, and the file that keeps it; a fork gives up that of its parent."""
    for number in itertools.count():
        file = (directory / f"{number}.lock").open("w")
        try:
            # The kernel gives it back, however the process ends.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
        else:
            return number, file
    raise AssertionError("There is always one more.")


def directory() -> Path | None:
    """Which processes of this machine share; None: each counts alone."""
    return Path(settings.PROMETHEUS_MULTIPROC_DIR) if settings.PROMETHEUS_MULTIPROC_DIR else None


def registry() -> Collector:
    """Of this process, or of all processes that share the directory."""
    if directory() is None:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


def processes() -> int:
    """How many share the directory now."""
    shared = directory()
    return sum(map(_is_held, shared.glob("*.lock"))) if shared else 1


def _is_held(place: Path) -> bool:
    """A process that looks for a place at this very moment takes the next one."""
    with place.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
