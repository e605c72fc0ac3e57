"""Health checks answer within their time limits while PostgreSQL or Redis hangs."""

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
def servers() -> Iterator[Cluster]:
    with cluster.running(["uvicorn"]) as servers:
        servers.redis.start()
        yield servers


def signal_postgres(servers: Cluster, number: signal.Signals) -> None:
    """Sends the signal to all processes of PostgreSQL. Each connection has its own process and process group."""
    assert servers.postgres.process is not None
    pid = servers.postgres.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for process in (pid, *map(int, children)):
        os.kill(process, number)


def check(site: Site, path: str) -> tuple[int, dict[str, Any]]:
    """Returns the status code and the answer of a health check. Raises an exception after MONITOR_SECONDS."""
    answer = requests.get(f"{site.url}/health/{path}", headers=TOKEN, timeout=MONITOR_SECONDS)
    return answer.status_code, answer.json()


def wait_until(site: Site, path: str, status: str) -> dict[str, Any]:
    wait_for(lambda: check(site, path)[1]["status"] == status, describe=lambda: check(site, path))
    return check(site, path)[1]


@pytest.mark.long
def test_frozen_database_is_unhealthy_within_a_second_until_it_thaws(servers: Cluster) -> None:
    (site,) = servers.sites
    assert wait_until(site, "ready", "healthy")["database"]["vendor"] == "postgresql"
    signal_postgres(servers, signal.SIGSTOP)
    try:
        for _ in range(3):
            code, answer = check(site, "ready")
            assert (code, answer["database"]["status"]) == (503, "unhealthy")
            assert answer["database"]["detail"] == "no response within 1 s"
            assert (answer["redis"]["status"], check(site, "live")[0]) == ("healthy", 200)
        assert check(site, "database")[0] == 503
        code, answer = check(site, "")
        assert (code, answer["notifications"]["status"]) == (503, "unhealthy")
    finally:
        signal_postgres(servers, signal.SIGCONT)
    assert set(wait_until(site, "", "healthy")) == {"status", "migrations", *PARTS}


@pytest.mark.long
def test_half_open_connection_to_redis_only_degrades(servers: Cluster) -> None:
    (site,) = servers.sites
    wait_until(site, "redis", "healthy")
    servers.redis_proxy.drop_data()
    try:
        for path in ("redis", "websocket", "ready"):
            code, answer = check(site, path)
            assert (code, answer["status"]) == (200, "degraded"), path
    finally:
        servers.redis_proxy.recover()
    wait_until(site, "redis", "healthy")
