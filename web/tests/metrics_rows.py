"""Makes rows of the table `system_metrics` for tests, as other processes would write them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from web.models import SystemMetric
from web.system_metrics import write


def make_minute(at: datetime, counts: Mapping[str, float] = {}, gauges: Mapping[str, float] = {}) -> SystemMetric:  # noqa: B006
    figures: dict[str, Any] = {"counts": dict(counts), "gauges": dict(gauges)}
    minute = at.replace(second=0, microsecond=0)
    return SystemMetric.objects.create(span=SystemMetric.Span.MINUTE, at=minute, metrics_json=figures)


def lags(**milliseconds: int) -> dict[str, float]:
    """The bucket counts of a lag histogram.

    `ms_5=38` adds 38 events to the bucket up to 5 ms; each bucket also counts those of the buckets below. `more` adds
    events that took longer than 5 s.
    """
    bounds, found, total = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000), dict[str, float](), 0
    for bound in bounds:
        total += milliseconds.get(f"ms_{bound}", 0)
        found[f"luckygas_hub_lag_seconds_bucket {bound / 1000}"] = total
    return found | {"luckygas_hub_lag_seconds_bucket +Inf": total + milliseconds.get("more", 0)}


def reset_counts() -> None:
    """Writes this process's counts and deletes the rows, so that a test starts at zero."""
    write(every=0)
    SystemMetric.objects.all().delete()
