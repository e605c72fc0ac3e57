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
import logging
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.db import transaction
from django.dispatch import Signal
from django.utils import timezone
from prometheus_client.metrics_core import Metric
from prometheus_client.samples import Sample

from web import metrics, multiprocess
from web.models import SystemMetric

log = logging.getLogger(__name__)

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
    """A random one, kept in the directory: containers that share it have different host names."""
    link = directory() / "name"
    with suppress(FileExistsError):
        link.symlink_to(uuid4().hex)  # unlike a file, never there without its text
    return str(link.readlink())


def unwritten() -> tuple[Counts, Counts]:
    """What is counted, and how much of it is not in the table yet.

    The note is read first: else a write by another process in between would look as if the counters began anew.
    """
    note = directory() / NOTE
    text = note.read_bytes() if note.exists() else b"{}"
    counts = counted()
    try:
        before = json.loads(text)
    except ValueError:  # the power failed while it was written, and nobody knows what it said
        before = counts
    return counts, growth(counts, before)


def write(*, every: float = WRITE_SECONDS) -> None:
    """Adds what was counted since the last write to the row of this minute; nothing within so many seconds of it.

    One process at a time writes for all that share the directory, and for those that ended. Whoever is killed between
    the commit and the note has these seconds counted twice.
    """
    note, is_new = directory() / NOTE, False
    if note.exists() and abs(time.time() - note.stat().st_mtime) < every:
        return
    minute = {"span": SystemMetric.Span.MINUTE, "at": minute_of(timezone.now())}
    # Before any lock: who waits for a gauge holds up nobody else.
    gauges = {} if SystemMetric.objects.filter(**minute).exists() else _gauges()
    with (directory() / "writing").open("w") as turn, suppress(BlockingIOError):  # another one is at it
        fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
        counts, new = unwritten()
        whole = note.with_suffix(".new")
        # Before it is added: on a full disk it would be added again each time.
        whole.write_text(json.dumps(counts))
        is_new = _add(minute, new, gauges)
        whole.replace(note)
    if is_new:
        new_minute.send_robust(sender=SystemMetric)


@transaction.atomic
def _add(minute: Mapping[str, Any], new: Counts, gauges: Counts) -> bool:
    """Whether the minute is new."""
    empty = {"metrics_json": {"counts": {}, "gauges": gauges, "processes": {}}}
    row, is_new = SystemMetric.objects.select_for_update().get_or_create(**minute, defaults=empty)
    row.metrics_json["counts"] = total([row.metrics_json["counts"], new])
    row.metrics_json["processes"][name()] = [time.time(), multiprocess.processes()]
    row.save(update_fields=["metrics_json"])
    return is_new


def _gauges() -> dict[str, float]:
    """What is so now; what cannot be told is left out."""
    found: dict[str, float] = {}
    for rows in metrics.GAUGES:
        try:
            found |= _numbers(rows())
        except Exception:
            log.exception("The minute goes without the gauges of %r.", rows)
    return found


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
    counts = total([*(row.metrics_json["counts"] for row in rows), unwritten()[1]])
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
