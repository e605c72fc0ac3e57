"""Metrics: the `prometheus_client` registry, and the metrics that all apps share.

`/health/metrics` shows the registry. `web.system_metrics` writes the metrics marked with `mark_persistent` to the table
`system_metrics`.

The counts of workers, senders and commands are added up: each process has its own files in one shared directory.
prometheus_client names these files by process id. Every replaced worker and every cron command would then leave files
behind for ever, and processes of two containers may have the same id. So files are named by slot numbers: a process
locks the lowest free slot and continues the counts of its predecessor. There are only as many slots as processes ever
ran at once, no count is lost, and nothing needs cleaning up.

For this, `use_directory` sets `prometheus_client.values`, which the package does not document: it has no other way to
replace the process id. `use_directory` is not called without the setting `PROMETHEUS_MULTIPROC_DIR`.
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
# The names of the metrics that `web.system_metrics` writes to the table.
PERSISTENT: set[str] = set()
# Functions that read gauges from the database. Apps append theirs in `ready()`. They are called at each scrape and once
# a minute.
GAUGES: list[Callable[[], Iterable[Metric]]] = []


def mark_persistent(metric: Wrapped) -> Wrapped:
    """Marks a metric to be written to the table. Mark only metrics that a page or the API shows, to keep rows small."""
    PERSISTENT.update(family.name for family in metric.describe())
    return metric


# Only metrics with labels may be created here, because models import this module before `use_directory` is called.
HITS = mark_persistent(Counter("luckygas_cache_hits", "Answers taken from a cache.", ["cache"]))
MISSES = mark_persistent(Counter("luckygas_cache_misses", "Answers that were not in the cache.", ["cache"]))
SQL = Summary("luckygas_sql_query_seconds", "What the database took, by its alias.", ["alias"])
# Bounds of the histogram's buckets in seconds: 0.0001, 0.0002, 0.0005, 0.001 … 50. Percentiles are interpolated between
# two bounds.
STEPS = tuple(float(f"{step}e{power}") for power in range(-4, 2) for step in (1, 2, 5))
OPERATIONS = mark_persistent(
    Histogram("luckygas_operation_seconds", "What an operation took.", ["operation"], buckets=STEPS)
)


def percentile(buckets: Mapping[float, float], share: float) -> float | None:
    """The percentile of cumulative `buckets` (bound -> count), linearly interpolated. None if nothing was counted.

    `share` is between 0 and 1. Values above the last finite bound count as that bound.
    """
    rank, lower, below = share * max(buckets.values(), default=0), 0.0, 0.0
    for bound, count in sorted(buckets.items()):
        if count >= rank and count > below:
            return lower if bound == math.inf else lower + (bound - lower) * (rank - below) / (count - below)
        lower, below = bound, count
    return None


def use_directory(directory: Path) -> None:
    """Makes this process store its counts in `directory`. Call it before any metric without labels is created."""
    directory.mkdir(parents=True, exist_ok=True)
    values.ValueClass = values.MultiProcessValue(lambda: _slot(directory, os.getpid())[0])  # type: ignore[no-untyped-call]


@lru_cache(maxsize=1)
def _slot(directory: Path, process: int) -> tuple[int, TextIOWrapper]:
    """The slot number of this process, and the lock file of the slot. A forked process gets a slot of its own."""
    for number in itertools.count():
        file = (directory / f"{number}.lock").open("w")
        try:
            # The kernel releases the lock, however the process ends.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
        else:
            return number, file
    raise AssertionError("There is always a free slot.")


def directory() -> Path | None:
    """The directory that the processes of this machine share. None if each process counts alone."""
    return Path(settings.PROMETHEUS_MULTIPROC_DIR) if settings.PROMETHEUS_MULTIPROC_DIR else None


def registry() -> Collector:
    """The metrics of all processes that share the directory. Without a directory: of this process alone."""
    if directory() is None:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


def processes() -> int:
    """The number of running processes that share the directory; 1 without a directory."""
    shared = directory()
    return sum(map(_is_held, shared.glob("*.lock"))) if shared else 1


def _is_held(slot: Path) -> bool:
    """Whether a running process holds the slot. Locks a free slot for a moment.

    A process that looks for a slot in this moment takes the next one.
    """
    with slot.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
