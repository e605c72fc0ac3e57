from __future__ import annotations

import threading

import pytest

from health import parts, probes
from health.probes import HealthStatus, Probe, run_all, worst
from luckygas.testing.waiting import PATIENCE_SECONDS, wait_for


def test_a_probe_answers_with_its_milliseconds() -> None:
    answer = Probe(lambda: {"status": HealthStatus.HEALTHY}, 1)()
    assert answer["status"] == "healthy"
    assert 0 <= answer["ms"] < 1000


def test_raising_probe_is_unhealthy_and_hides_the_error_text() -> None:
    def check() -> dict[str, str]:
        raise ConnectionError("password=secret")

    answer = Probe(check, 1)()
    assert (answer["status"], answer["detail"]) == ("unhealthy", "ConnectionError")


def test_hanging_probe_times_out_and_is_not_started_again() -> None:
    release, calls = threading.Event(), []

    def check() -> dict[str, str]:
        calls.append(1)
        release.wait()
        return {"status": HealthStatus.HEALTHY}

    probe = Probe(check, 0.1)
    assert [probe()["status"] for _ in range(3)] == ["unhealthy"] * 3
    assert len(calls) == 1
    release.set()
    probe.seconds = 5
    assert probe()["status"] == "healthy"


@pytest.mark.parametrize(
    ("parts", "whole"),
    [
        ([], "healthy"),
        (["healthy", "healthy"], "healthy"),
        (["healthy", "degraded"], "degraded"),
        (["unhealthy", "degraded"], "unhealthy"),
    ],
)
def test_worst_part_decides(parts: list[str], whole: str) -> None:
    assert worst([{"status": part} for part in parts]) == whole


def test_hanging_probe_returns_its_on_timeout_status() -> None:
    release = threading.Event()
    answer = {"status": HealthStatus.HEALTHY}
    probe = Probe(lambda: answer if release.wait() else {}, 0.2, on_timeout=HealthStatus.DEGRADED)
    assert (probe()["status"], probe()["detail"]) == ("degraded", "no response within 0.2 s")
    release.set()


def test_lost_thread_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "LOST_SECONDS", 0.1)
    monkeypatch.setattr(probes, "MAX_LOST_THREADS", 2)
    release, calls = threading.Event(), []

    def check() -> dict[str, str]:
        calls.append(1)
        if len(calls) < 3:
            release.wait(10)
        return {"status": HealthStatus.HEALTHY}

    probe = Probe(check, 0.1)
    assert [probe()["status"] for _ in range(3)] == ["unhealthy", "unhealthy", "healthy"]
    release.set()


def test_number_of_lost_threads_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "LOST_SECONDS", 0.0)
    monkeypatch.setattr(probes, "MAX_LOST_THREADS", 2)
    release, calls = threading.Event(), []

    def check() -> dict[str, str]:
        calls.append(1)
        release.wait(10)
        return {"status": HealthStatus.HEALTHY}

    probe = Probe(check, 0.02)
    assert [probe()["status"] for _ in range(5)] == ["unhealthy"] * 5
    wait_for(lambda: len(calls) == 3)  # the third thread may not have started yet
    probe()
    assert len(calls) == 3
    release.set()


def test_each_part_has_its_time_limit() -> None:
    limits = {"database": 1, "migrations": 2, "redis": 1, "websocket": 2, "notifications": 4}
    assert {name: probe.seconds for name, probe in parts.PARTS.items()} == limits
    # The answer about notifications contains the provider's answer, so the provider's time limit must be shorter.
    assert parts.provider_probe("console").seconds < limits["notifications"]
    assert limits["redis"] > parts.REDIS_SECONDS


def test_probes_run_in_parallel() -> None:
    barrier = threading.Barrier(3)

    def check() -> dict[str, str]:
        barrier.wait(PATIENCE_SECONDS)
        return {"status": HealthStatus.HEALTHY}

    answers = run_all({name: Probe(check, PATIENCE_SECONDS) for name in "abc"})
    assert [answer["status"] for answer in answers.values()] == ["healthy"] * 3
