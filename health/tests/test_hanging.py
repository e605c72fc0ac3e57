"""What stops answering without a word: health says so in time, whatever hangs behind it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from luckygas.testing import cluster
from luckygas.testing.cluster import MONITOR, Cluster
from luckygas.testing.site import Site
from luckygas.testing.waiting import wait_for

pytestmark = pytest.mark.servers
TOKEN = {"Authorization": f"Bearer {MONITOR}"}
PARTS = ("database", "redis", "websocket", "notifications")
# A monitor's timeout. The slowest health check may take 4 s; the rest is for a busy machine.
MONITOR_SECONDS = 10


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


def ask(site: Site, path: str) -> tuple[int, dict[str, Any]]:
    """Status and answer, which comes although all that hangs still hangs."""
    answer = requests.get(f"{site.url}/health/{path}", headers=TOKEN, timeout=MONITOR_SECONDS)
    return answer.status_code, answer.json()


def until(site: Site, path: str, status: str) -> dict[str, Any]:
    wait_for(lambda: ask(site, path)[1]["status"] == status, say=lambda: ask(site, path))
    return ask(site, path)[1]


@pytest.mark.long
def test_a_frozen_database_is_said_within_its_second_and_forgotten_when_it_wakes(house: Cluster) -> None:
    (site,) = house.sites
    assert until(site, "ready", "healthy")["database"]["vendor"] == "postgresql"
    tell_postgres(house, signal.SIGSTOP)
    try:
        for _ in range(3):
            code, answer = ask(site, "ready")
            assert (code, answer["database"]["status"]) == (503, "unhealthy")
            assert answer["database"]["detail"] == "no answer within 1 s"
            assert (answer["redis"]["status"], ask(site, "live")[0]) == ("healthy", 200)
        assert ask(site, "database")[0] == 503
        code, answer = ask(site, "")
        assert (code, answer["notifications"]["status"]) == (503, "unhealthy")
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
            code, answer = ask(site, path)
            assert (code, answer["status"]) == (200, "degraded"), path
    finally:
        house.link.recover()
    until(site, "redis", "healthy")
