"""Rows of `system_metrics` for tests: what other processes counted."""

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
    """The bucket counts of a lag histogram: `ms_5=38` means that 38 events took at most 5 ms."""
    bounds, found, total = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000), dict[str, float](), 0
    for bound in bounds:
        total += milliseconds.get(f"ms_{bound}", 0)
        found[f"luckygas_hub_lag_seconds_bucket {bound / 1000}"] = total
    return found | {"luckygas_hub_lag_seconds_bucket +Inf": total + milliseconds.get("more", 0)}


def nothing_unwritten() -> None:
    """Writes this process's counts and deletes the rows, so that a test starts at zero."""
    write(every=0)
    SystemMetric.objects.all().delete()
