"""Health checks report hanging services in time."""

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


def signal_postgres(house: Cluster, number: signal.Signals) -> None:
    """Signals all of PostgreSQL: each connection has its own process and group."""
    assert house.postgres.process is not None
    pid = house.postgres.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for process in (pid, *map(int, children)):
        os.kill(process, number)


def ask(site: Site, path: str) -> tuple[int, dict[str, Any]]:
    """Returns status and answer, while the service still hangs."""
    answer = requests.get(f"{site.url}/health/{path}", headers=TOKEN, timeout=MONITOR_SECONDS)
    return answer.status_code, answer.json()


def until(site: Site, path: str, status: str) -> dict[str, Any]:
    wait_for(lambda: ask(site, path)[1]["status"] == status, say=lambda: ask(site, path))
    return ask(site, path)[1]


@pytest.mark.long
def test_frozen_database_is_unhealthy_within_a_second_until_it_thaws(house: Cluster) -> None:
    (site,) = house.sites
    assert until(site, "ready", "healthy")["database"]["vendor"] == "postgresql"
    signal_postgres(house, signal.SIGSTOP)
    try:
        for _ in range(3):
            code, answer = ask(site, "ready")
            assert (code, answer["database"]["status"]) == (503, "unhealthy")
            assert answer["database"]["detail"] == "no response within 1 s"
            assert (answer["redis"]["status"], ask(site, "live")[0]) == ("healthy", 200)
        assert ask(site, "database")[0] == 503
        code, answer = ask(site, "")
        assert (code, answer["notifications"]["status"]) == (503, "unhealthy")
    finally:
        signal_postgres(house, signal.SIGCONT)
    assert set(until(site, "", "healthy")) == {"status", "migrations", *PARTS}


@pytest.mark.long
def test_half_open_connection_to_redis_only_degrades(house: Cluster) -> None:
    (site,) = house.sites
    until(site, "redis", "healthy")
    house.link.drop_data()
    try:
        for path in ("redis", "websocket", "ready"):
            code, answer = ask(site, path)
            assert (code, answer["status"]) == (200, "degraded"), path
    finally:
        house.link.recover()
    until(site, "redis", "healthy")
