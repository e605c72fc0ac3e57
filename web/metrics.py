"""What is counted: metrics of the one `prometheus_client` registry, and those that all apps share.

`/health/metrics` shows the registry. `web.system_metrics` writes what is `kept` to the table `system_metrics`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from prometheus_client import Counter, Histogram, Summary
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import Metric

Wrapped = TypeVar("Wrapped", bound=MetricWrapperBase)
# The names of the metrics that the table has, too.
KEPT: set[str] = set()
# What the database has now. Apps add to it when they are ready; asked at each scrape and once a minute.
GAUGES: list[Callable[[], Iterable[Metric]]] = []


def kept(metric: Wrapped) -> Wrapped:
    """Has the table keep this metric: those that a page or the API shows, so that its rows stay small."""
    KEPT.update(family.name for family in metric.describe())
    return metric


# Metrics without labels are not made here: models import this module before `web.multiprocess.share` is called.
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
