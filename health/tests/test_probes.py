from __future__ import annotations

import threading
import time

import pytest

from health.probes import Health, Probe, worst


def test_a_probe_answers_with_its_milliseconds() -> None:
    answer = Probe(lambda: {"status": Health.HEALTHY}, 1)()
    assert answer["status"] == "healthy"
    assert 0 <= answer["ms"] < 1000


def test_a_probe_that_raises_is_unhealthy_and_says_no_secret() -> None:
    def ask() -> dict[str, str]:
        raise ConnectionError("password=secret")

    answer = Probe(ask, 1)()
    assert (answer["status"], answer["detail"]) == ("unhealthy", "ConnectionError")


def test_a_probe_that_hangs_is_given_up_and_not_asked_again_meanwhile() -> None:
    release, asked = threading.Event(), []

    def ask() -> dict[str, str]:
        asked.append(1)
        release.wait(10)
        return {"status": Health.HEALTHY}

    probe = Probe(ask, 0.1)
    started = time.monotonic()
    assert [probe()["status"] for _ in range(3)] == ["unhealthy"] * 3
    assert time.monotonic() - started < 2
    assert len(asked) == 1
    release.set()
    assert probe.pool.drain(5)
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
def test_the_worst_part_decides(parts: list[str], whole: str) -> None:
    assert worst([{"status": part} for part in parts]) == whole
