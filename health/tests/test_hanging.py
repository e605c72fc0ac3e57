"""What stops answering without a word: health says so in time, whatever hangs behind it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from luckygas.testing import cluster
from luckygas.testing.cluster import MONITOR, Cluster
from luckygas.testing.site import Site

pytestmark = pytest.mark.servers
TOKEN = {"Authorization": f"Bearer {MONITOR}"}
PARTS = ("database", "redis", "websocket", "notifications")


@pytest.fixture(scope="module")
def house() -> Iterator[Cluster]:
    with cluster.running(["uvicorn"]) as made:
        made.redis.start()
        yield made


def tell_postgres(house: Cluster, number: signal.Signals) -> None:
    """All of it: each connection has a process and a group of its own."""
    assert house.postgres.process is not None
    pid = house.postgres.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for process in (pid, *map(int, children)):
        os.kill(process, number)


def ask(site: Site, path: str) -> tuple[int, dict[str, Any], float]:
    """Status, answer, and the seconds it took."""
    started = time.monotonic()
    answer = requests.get(f"{site.url}/health/{path}", headers=TOKEN, timeout=10)
    return answer.status_code, answer.json(), time.monotonic() - started


def until(site: Site, path: str, status: str) -> dict[str, Any]:
    deadline = time.monotonic() + 10
    while (answer := ask(site, path)[1])["status"] != status:
        assert time.monotonic() < deadline, answer
        time.sleep(0.05)
    return answer


@pytest.mark.long
def test_a_frozen_database_is_said_within_its_second_and_forgotten_when_it_wakes(house: Cluster) -> None:
    (site,) = house.sites
    assert until(site, "ready", "healthy")["database"]["vendor"] == "postgresql"
    tell_postgres(house, signal.SIGSTOP)
    try:
        for _ in range(3):
            code, answer, seconds = ask(site, "ready")
            assert (code, answer["database"]["status"], seconds < 1.5) == (503, "unhealthy", True)
            assert (answer["redis"]["status"], ask(site, "live")[0]) == ("healthy", 200)
        assert ask(site, "database")[0] == 503
        code, answer, seconds = ask(site, "")
        assert (code, answer["notifications"]["status"], seconds < 5) == (503, "unhealthy", True)
    finally:
        tell_postgres(house, signal.SIGCONT)
    assert set(until(site, "", "healthy")) == {"status", "migrations", *PARTS}


@pytest.mark.long
def test_a_half_open_link_to_redis_degrades_and_no_more(house: Cluster) -> None:
    (site,) = house.sites
    until(site, "redis", "healthy")
    house.link.swallow()
    try:
        for path in ("redis", "websocket", "ready"):
            code, answer, seconds = ask(site, path)
            assert (code, answer["status"], seconds < 1.5) == (200, "degraded", True), path
    finally:
        house.link.recover()
    until(site, "redis", "healthy")
