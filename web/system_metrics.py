"""Writes the processes' metrics to the table `system_metrics`, which has one row a minute for all processes.

Hubs and the sender's loop call `write` every few seconds. It adds the growth of the persistent metrics since the last
write, and stores their values (`WrittenCounts`) in the same transaction. So after a failed write the next one adds the
missing growth, and nothing is added twice. The first write of a minute adds the gauges.

The keys of a row's `counts` and `gauges` are a metric's name and its label values: `luckygas_websocket_errors_total
forbidden`. Buckets are cumulative as in Prometheus, with the bound at the end of the key.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from django.db import transaction
from django.db.models import Q, Sum
from django.dispatch import Signal
from django.utils import timezone
from prometheus_client.metrics_core import Metric
from prometheus_client.samples import Sample

from web import metrics
from web.models import SystemMetric, WrittenCounts
from web.timings import instance

log = logging.getLogger(__name__)

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
WRITE_SECONDS = 5.0
# Processes that wrote within this time are counted as running.
ALIVE = timedelta(minutes=1)
# Rates are computed over at least this time; over a shorter time they vary too much.
MIN_SECONDS = 5.0

Counts = Mapping[str, float]

# Sent after the first write of a minute, when the previous minute is complete.
new_minute = Signal()


def name() -> str:
    """The name under which this process's counts are stored.

    Processes that share a directory share a random name, because their host names differ between containers.
    """
    if (shared := metrics.directory()) is None:
        return instance()
    link = shared / "name"
    with suppress(FileExistsError):
        link.symlink_to(uuid4().hex)  # atomic; a file would exist before its text is written
    return str(link.readlink())


def write(*, every: float = WRITE_SECONDS) -> None:
    """Adds the counts since the last write to this minute's row, unless that write was less than `every` seconds ago.

    One process writes the counts of all processes that share a directory, including ended ones.
    """
    now, pause = timezone.now(), timedelta(seconds=every)
    before = WrittenCounts.objects.filter(pk=name()).first() or WrittenCounts(pk=name(), at=now - pause)
    if abs(now - before.at) < pause:
        return
    minute = {"span": SystemMetric.Span.MINUTE, "at": minute_of(now)}
    # Gauges and counts are slow to read. They are read before the locks, because all hosts share the minute's row.
    gauges = {} if SystemMetric.objects.filter(**minute).exists() else _gauges()
    counts, processes = current_counts(), metrics.processes()
    empty = {"metrics_json": {"counts": {}, "gauges": gauges}}
    with transaction.atomic():
        written, _created = WrittenCounts.objects.select_for_update().get_or_create(pk=before.pk)
        if written.counts != before.counts:  # another process of this directory wrote meanwhile
            return
        row, is_new = SystemMetric.objects.select_for_update().get_or_create(**minute, defaults=empty)
        row.metrics_json["counts"] = total([row.metrics_json["counts"], growth(counts, before.counts)])
        row.save(update_fields=["metrics_json"])
        written.at, written.counts, written.processes = now, counts, processes
        written.save()
    if is_new:
        new_minute.send_robust(sender=SystemMetric)


def count_from_now() -> None:
    """Marks all counts of a shared directory as written, so that the next write adds only later ones.

    Call it after a restore of the database, which does not reset the directory's files.
    """
    if metrics.directory() is None:
        return
    now = {"at": timezone.now(), "counts": current_counts(), "processes": metrics.processes()}
    WrittenCounts.objects.update_or_create(pk=name(), defaults=now)


def delete_old_written_counts(now: datetime, *, alone: timedelta, shared: timedelta) -> None:
    """Deletes rows last written before `now - alone` (a single process) or `now - shared` (a shared directory).

    A process that ended never writes again. A shared directory still has its counters and may be used again.
    """
    is_process = Q(name__contains=":")  # the names of `instance` have colons, those of directories none
    WrittenCounts.objects.filter(Q(is_process, at__lt=now - alone) | Q(at__lt=now - shared)).delete()


def unwritten_counts() -> Counts:
    """The counts that are not in the table yet.

    Reads the written counts before the counters. Otherwise, after a write by another process in between, the counters
    would be lower and seem to have restarted.
    """
    written = WrittenCounts.objects.filter(pk=name()).first()
    return growth(current_counts(), written.counts if written else {})


def _gauges() -> dict[str, float]:
    """The current gauges. If a function fails, the error is logged and its gauges are left out."""
    found: dict[str, float] = {}
    for read in metrics.GAUGES:
        try:
            found |= _values_by_key(read())
        except Exception:
            log.exception("Could not read the gauges of %r; this minute lacks them.", read)
    return found


def current_counts() -> dict[str, float]:
    """The registry's values of the persistent metrics, counted since the start of the process or its directory."""
    return _values_by_key(family for family in metrics.registry().collect() if family.name in metrics.PERSISTENT)


def _values_by_key(families: Iterable[Metric]) -> dict[str, float]:
    samples = (sample for family in families for sample in family.samples)
    return {_key(sample): sample.value for sample in samples if not sample.name.endswith("_created")}


def _key(sample: Sample) -> str:
    labels = dict(sample.labels)
    bound = [labels.pop("le")] if "le" in labels else []
    return " ".join([sample.name, *(labels[name] for name in sorted(labels)), *bound])


def growth(counts: Counts, before: Counts) -> dict[str, float]:
    """The growth of each count, without zeros. A count lower than before is treated as restarted at zero."""
    old = {name: before.get(name, 0) for name in counts}
    grown = {name: count - old[name] if count >= old[name] else count for name, count in counts.items()}
    return {name: count for name, count in grown.items() if count}


# --- reading ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Figures:
    """The counts of all servers in the last `seconds`, and the number of running processes."""

    counts: Counts
    seconds: float
    processes: int


def recent_figures(span: timedelta) -> Figures:
    """The figures since the start of the minute that was `span` ago.

    Includes counts that this process (or its directory) has not written yet, but not those of other servers.
    """
    now = timezone.now()
    rows = list(minutes(minute_of(now) - span))
    counts = total([*(row.metrics_json["counts"] for row in rows), unwritten_counts()])
    seconds = (now - rows[0].at if rows else span).total_seconds()
    others = WrittenCounts.objects.filter(at__gt=now - ALIVE).exclude(pk=name()).aggregate(sum=Sum("processes"))["sum"]
    return Figures(counts, max(seconds, MIN_SECONDS), (others or 0) + metrics.processes())


def minutes(since: datetime, until: datetime | None = None) -> Iterable[SystemMetric]:
    """The rows of minutes that began at or after `since` and before `until`, oldest first."""
    rows = SystemMetric.objects.filter(span=SystemMetric.Span.MINUTE, at__gte=since).order_by("at")
    return rows.filter(at__lt=until) if until else rows


def minute_of(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def total(parts: Iterable[Counts]) -> Counts:
    """The sum of the counts for each name."""
    sums: Counter[str] = Counter()
    for counts in parts:
        sums.update(counts)
    return sums


def by_label(counts: Counts, name: str) -> dict[str, float]:
    """The counts of a metric by its label values, which are joined with spaces as in the keys."""
    prefix = f"{name} "
    return {key.removeprefix(prefix): count for key, count in counts.items() if key.startswith(prefix)}


def buckets(counts: Counts, name: str) -> dict[str, dict[float, float]]:
    """A histogram's cumulative buckets (bound -> count) by label values ("" without labels)."""
    found: dict[str, dict[float, float]] = {}
    for key, count in by_label(counts, f"{name}_bucket").items():
        labels, _, bound = key.rpartition(" ")
        found.setdefault(labels, {})[float(bound)] = count
    return found
