"""What processes counted, in the table `system_metrics`: a row a minute, to which each adds what is new.

A timer calls `write` (a hub's upkeep, the sender's loop). It adds how much the `kept` metrics grew since the last
write; so what the database did not take is added with the next one. The first to write in a minute adds the gauges.

`counts` and `gauges` of a row have a number for each name with the values of its labels, as Prometheus has them:
`luckygas_websocket_errors_total forbidden`. Buckets are cumulative, with their bound at the end.
"""

from __future__ import annotations

import atexit
import fcntl
import json
import shutil
import socket
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from django.db import transaction
from django.dispatch import Signal
from django.utils import timezone
from prometheus_client.metrics_core import Metric
from prometheus_client.samples import Sample

from web import metrics, multiprocess
from web.models import SystemMetric

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
WRITE_SECONDS = 5.0
NOTE = "written"
# Who wrote within so long is alive.
ALIVE_SECONDS = 60.0
# A rate of less time than this would be chance.
LEAST_SECONDS = 5.0

Counts = Mapping[str, float]

# The first process wrote in a minute: the one before is complete.
new_minute = Signal()


@cache
def directory() -> Path:
    """Where it is noted what is written: of all processes that share it, or of this one alone."""
    if shared := multiprocess.directory():
        return shared
    own = tempfile.mkdtemp(prefix="luckygas-")
    atexit.register(shutil.rmtree, own, ignore_errors=True)
    return Path(own)


def name() -> str:
    return f"{socket.gethostname()}:{directory()}"


def written() -> dict[str, float]:
    """What of `counted` is in the table already."""
    note = directory() / NOTE
    counts: dict[str, float] = json.loads(note.read_text()) if note.exists() else {}
    return counts


def write(*, every: float = WRITE_SECONDS) -> None:
    """Adds what was counted since the last write to the row of this minute; nothing within so many seconds of it.

    One process at a time writes for all that share the directory, and for those that ended. Whoever is killed between
    the commit and the note has these seconds counted twice.
    """
    note, is_new = directory() / NOTE, False
    with (directory() / "writing").open("w") as turn, suppress(BlockingIOError):  # another one is at it
        fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if note.exists() and abs(time.time() - note.stat().st_mtime) < every:
            return
        counts = counted()
        is_new = _add(growth(counts, written()))
        whole = note.with_suffix(".new")
        whole.write_text(json.dumps(counts))
        whole.replace(note)
    if is_new:
        new_minute.send_robust(sender=SystemMetric)


@transaction.atomic
def _add(new: Counts) -> bool:
    """Whether the minute is new."""
    rows = SystemMetric.objects.select_for_update()
    row, is_new = rows.get_or_create(span=SystemMetric.Span.MINUTE, at=minute_of(timezone.now()))
    if is_new:
        gauges = (family for rows in metrics.GAUGES for family in rows())
        row.metrics_json = {"counts": {}, "gauges": _numbers(gauges), "processes": {}}
    row.metrics_json["counts"] = total([row.metrics_json["counts"], new])
    row.metrics_json["processes"][name()] = [time.time(), multiprocess.processes()]
    row.save(update_fields=["metrics_json"])
    return is_new


def counted() -> dict[str, float]:
    """What the table is to have of the registry, since the process or its directory began."""
    return _numbers(family for family in multiprocess.counted().collect() if family.name in metrics.KEPT)


def _numbers(families: Iterable[Metric]) -> dict[str, float]:
    samples = (sample for family in families for sample in family.samples)
    return {_key(sample): sample.value for sample in samples if not sample.name.endswith("_created")}


def _key(sample: Sample) -> str:
    labels = dict(sample.labels)
    bound = [labels.pop("le")] if "le" in labels else []
    return " ".join([sample.name, *(labels[name] for name in sorted(labels)), *bound])


def growth(counts: Counts, before: Counts) -> dict[str, float]:
    """What grew, and by how much; a number that is less than before began anew."""
    was = {name: before.get(name, 0) for name in counts}
    grown = {name: count - was[name] if count >= was[name] else count for name, count in counts.items()}
    return {name: count for name, count in grown.items() if count}


# --- reading ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Figures:
    """What all servers counted in these seconds."""

    counts: Counts
    seconds: float
    processes: int


def lately(span: timedelta) -> Figures:
    """Since the minute began that it was `span` ago; with what is not written yet, of this process or its directory."""
    now = timezone.now()
    rows = list(minutes(minute_of(now) - span))
    counts = total([*(row.metrics_json["counts"] for row in rows), growth(counted(), written())])
    seconds = (now - rows[0].at if rows else span).total_seconds()
    seen = {who: at for row in rows for who, at in row.metrics_json["processes"].items()}
    alive = {who: number for who, (at, number) in seen.items() if at > time.time() - ALIVE_SECONDS}
    return Figures(counts, max(seconds, LEAST_SECONDS), sum((alive | {name(): multiprocess.processes()}).values()))


def minutes(since: datetime, until: datetime | None = None) -> Iterable[SystemMetric]:
    """The minutes that began since then, and before `until`; the oldest first."""
    rows = SystemMetric.objects.filter(span=SystemMetric.Span.MINUTE, at__gte=since).order_by("at")
    return rows.filter(at__lt=until) if until else rows


def minute_of(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def total(parts: Iterable[Counts]) -> Counts:
    """The sums, name by name."""
    found: Counter[str] = Counter()
    for counts in parts:
        found.update(counts)
    return found


def by_label(counts: Counts, name: str) -> dict[str, float]:
    """The numbers of a metric with labels, by their values."""
    begins = f"{name} "
    return {key.removeprefix(begins): count for key, count in counts.items() if key.startswith(begins)}


def buckets(counts: Counts, name: str) -> dict[str, dict[float, float]]:
    """Of a histogram, by the values of its labels (empty: it has none): how many were at most each bound."""
    found: dict[str, dict[float, float]] = {}
    for key, count in by_label(counts, f"{name}_bucket").items():
        labels, _, bound = key.rpartition(" ")
        found.setdefault(labels, {})[float(bound)] = count
    return found
