from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.core.management import call_command
from django.db import OperationalError, connection, transaction
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector

from luckygas.testing.site import ROOT
from web import metrics, system_metrics, timings
from web.metrics import mark_persistent, percentile, processes
from web.models import SystemMetric, WrittenCounts
from web.system_metrics import HOUR, MINUTE, buckets, growth, new_minute, recent_figures, write
from web.tests.metrics_rows import make_minute, reset_counts

pytestmark = pytest.mark.django_db


NOW = datetime(2026, 11, 23, 4, 10, 30, tzinfo=UTC)
CALLS = mark_persistent(Counter("luckygas_tests_seen", "Counted by these tests.", ["name", "code"]))
SECONDS = mark_persistent(Histogram("luckygas_tests_took", "Counted by these tests.", ["name"], buckets=(1, 5)))
NOT_PERSISTENT = Counter("luckygas_tests_aside", "Not written to the table.")
A, B = "luckygas_tests_seen_total 5 a", "luckygas_tests_seen_total 5 b"


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as travelled:
        reset_counts()
        yield travelled


def counts() -> dict[str, float]:
    """The counts of the tests' own metrics in the latest row."""
    found = SystemMetric.objects.filter(span="minute").latest("at").metrics_json["counts"]
    return {name: count for name, count in found.items() if name.startswith("luckygas_tests")}


def test_each_write_adds_only_new_counts(clock: time_machine.Traveller) -> None:
    CALLS.labels("a", "5").inc(2)
    CALLS.labels("b", "5").inc(0)
    NOT_PERSISTENT.inc()
    write(every=0)
    assert counts() == {A: 2}
    CALLS.labels("a", "5").inc()
    write(every=0)
    write(every=0)
    assert counts() == {A: 3}
    clock.shift(MINUTE)
    CALLS.labels("b", "5").inc()
    write(every=0)
    assert counts() == {B: 1}


def test_write_soon_after_another_is_skipped() -> None:
    CALLS.labels("a", "5").inc()
    write()
    assert SystemMetric.objects.count() == 0


def test_counts_of_a_failed_write_are_added_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise OperationalError

    CALLS.labels("a", "5").inc()
    with monkeypatch.context() as patch, pytest.raises(OperationalError), transaction.atomic():
        patch.setattr(SystemMetric, "save", fail)
        write(every=0)
    assert not SystemMetric.objects.filter(span="minute").exists()
    CALLS.labels("a", "5").inc()
    write(every=0)
    assert counts() == {A: 2}


def test_first_write_of_a_minute_adds_gauges_and_sends_new_minute(
    monkeypatch: pytest.MonkeyPatch, clock: time_machine.Traveller
) -> None:
    family, senders = GaugeMetricFamily("luckygas_tests_now", "", labels=["kind"]), list[object]()
    family.add_metric(["x"], 7)
    monkeypatch.setattr(metrics, "GAUGES", [lambda: [family]])
    monkeypatch.setattr(new_minute, "send_robust", lambda **kwargs: senders.append(kwargs["sender"]))
    for _ in range(2):
        write(every=0)
        family.samples.clear()
    assert SystemMetric.objects.get().metrics_json["gauges"] == {"luckygas_tests_now x": 7}
    assert senders == [SystemMetric]
    clock.shift(MINUTE)
    write(every=0)
    assert len(senders) == 2


def test_failing_gauge_does_not_block_other_gauges_or_counts(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(metrics, "GAUGES", [lambda: 1 / 0, lambda: [GaugeMetricFamily("luckygas_tests_now", "", 7)]])
    CALLS.labels("a", "5").inc()
    write(every=0)
    assert counts() == {A: 1}
    assert SystemMetric.objects.get(span="minute").metrics_json["gauges"] == {"luckygas_tests_now": 7}
    assert "ZeroDivisionError" in caplog.text


def test_counts_written_by_another_process_meanwhile_are_not_counted_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    CALLS.labels("a", "5").inc(100)
    write(every=0)
    CALLS.labels("a", "5").inc()
    count = system_metrics.current_counts

    def count_slowly() -> dict[str, float]:
        found = count()
        WrittenCounts.objects.update(counts=found | {A: found[A] + 1})
        return found

    monkeypatch.setattr(system_metrics, "current_counts", count_slowly)
    assert recent_figures(HOUR).counts[A] == 101


def test_concurrent_writes_of_one_directory_count_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """While one write reads the counters, another begins and commits. The first then adds nothing."""
    CALLS.labels("a", "5").inc(100)
    count, first = system_metrics.current_counts, list[None]()

    def count_slowly() -> dict[str, float]:
        found = count()
        if not first:
            first.append(None)
            write(every=0)
        return found

    monkeypatch.setattr(system_metrics, "current_counts", count_slowly)
    write(every=0)
    assert counts() == {A: 100}


@pytest.mark.django_db(transaction=True)
def test_write_reads_counters_outside_the_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    count, in_transaction = system_metrics.current_counts, list[bool]()

    def record() -> dict[str, float]:
        in_transaction.append(connection.in_atomic_block)
        return count()

    monkeypatch.setattr(system_metrics, "current_counts", record)
    write(every=0)
    assert in_transaction == [False]


def test_recent_figures_include_all_processes_and_own_unwritten_counts() -> None:
    make_minute(NOW - 3 * MINUTE, {A: 1000})
    make_minute(NOW - MINUTE, {A: 5})
    make_minute(NOW, {A: 1, B: 2})
    CALLS.labels("a", "5").inc()
    assert {name: recent_figures(MINUTE).counts[name] for name in (A, B)} == {A: 7, B: 2}
    assert (recent_figures(MINUTE).seconds, recent_figures(HOUR).counts[A]) == (90, 1007)


def test_only_processes_that_wrote_recently_are_counted() -> None:
    for seconds, count in ((30, 4), (61, 2)):
        at = NOW - timedelta(seconds=seconds)
        WrittenCounts.objects.create(name=f"{seconds}", at=at, processes=count)
    assert recent_figures(HOUR).processes == 5


def test_processes_that_share_a_directory_write_one_row_of_counts(
    monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path
) -> None:
    settings.PROMETHEUS_MULTIPROC_DIR = str(tmp_path)
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    for host in ("app1", "app2"):
        monkeypatch.setattr(socket, "gethostname", lambda host=host: host)
        write(every=0)
    assert WrittenCounts.objects.exclude(name=timings.instance()).count() == 1


def test_buckets_of_a_histogram_are_read_by_its_labels() -> None:
    for seconds in (0.5, 3, 4, 99):
        SECONDS.labels("a").observe(seconds)
    write(every=0)
    assert buckets(counts(), "luckygas_tests_took") == {"a": {1: 1, 5: 3, float("inf"): 4}}


def test_decreased_counter_counts_as_restarted() -> None:
    assert growth({"a": 3, "b": 5, "c": 1}, {"a": 7, "b": 5}) == {"a": 3, "c": 1}


@pytest.mark.parametrize(
    ("found", "share", "value"),
    [
        ({}, 0.5, None),
        ({10: 0, 20: 0}, 0.5, None),
        ({5: 0, 10: 10, 20: 10}, 0.5, 7.5),
        ({5: 10, 10: 10}, 0.5, 2.5),
        ({10: 90, 200: 90, 500: 100}, 0.99, 470.0),
        ({10: 0, float("inf"): 1}, 0.5, 10.0),
    ],
)
def test_percentile_is_interpolated_between_bounds(
    found: dict[float, float], share: float, value: float | None
) -> None:
    assert percentile(found, share) == value


PROGRAM = """
import sys
from pathlib import Path
from web.metrics import use_directory
use_directory(Path(sys.argv[1]))
from prometheus_client import Counter
Counter("seen", "x").inc(int(sys.argv[2]))
print("counted", flush=True)
sys.stdin.read()
"""


def start(directory: Path, number: int) -> subprocess.Popen[str]:
    """Starts a process that adds `number` to the counter and continues to run."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(directory), str(number)],
        cwd=ROOT, env={"PROMETHEUS_MULTIPROC_DIR": str(directory)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "counted\n"
    return process


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def total(directory: Path) -> float | None:
    registry = CollectorRegistry()
    MultiProcessCollector(registry, str(directory))  # type: ignore[no-untyped-call]
    return registry.get_sample_value("seen_total")


def test_counts_of_a_killed_process_stay_and_its_slot_is_freed(tmp_path: Path, settings: Any) -> None:
    directory = tmp_path / "made" / "when-missing"
    settings.PROMETHEUS_MULTIPROC_DIR = str(directory)
    first, second = start(directory, 1), start(directory, 10)
    assert (total(directory), len(list(directory.glob("*.db"))), processes()) == (11, 2, 2)
    kill(first)
    assert processes() == 1
    third = start(directory, 100)
    assert (total(directory), len(list(directory.glob("*.db"))), processes()) == (111, 2, 2)
    kill(second)
    kill(third)
    assert (total(directory), processes()) == (111, 0)


def test_after_restore_skips_counts_from_before(monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path) -> None:
    """The counter files still exist after the servers' restart; the restored database has no row for them."""
    settings.PROMETHEUS_MULTIPROC_DIR = str(tmp_path)
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    monkeypatch.setattr(metrics, "PERSISTENT", {"seen"})
    kill(start(tmp_path, 100))
    call_command("after_restore")
    kill(start(tmp_path, 1))
    write(every=0)
    assert SystemMetric.objects.get(span="minute").metrics_json["counts"] == {"seen_total": 1}
