"""Faults as context managers. Most last as long as the block; two end before it. Some also test the health checks."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import Any

import requests
from websockets.sync.client import connect

from luckygas.testing.cluster import MONITOR, Cluster
from luckygas.testing.site import ROOT, Site, environment
from luckygas.testing.waiting import wait_for

# How soon `/health/ready` of every server must show a fault or its end. One probe of Redis may take a second.
DETECTION_SECONDS = 6


@dataclass
class Scene:
    """The cluster under test.

    `returned`: when the database was back; `calm`: when hubs had recovered from the last fault (Unix seconds).
    """

    cluster: Cluster
    token: str
    chance: Random
    writer: subprocess.Popen[bytes] | None = None
    returned: list[float] = field(default_factory=list)
    calm: float = 0.0

    def write(self) -> None:
        """Starts a process that changes orders until it is stopped."""
        self.writer = subprocess.Popen([*WRITER, "write"], cwd=ROOT, env=environment(**self.cluster.environment))

    def stop_writing(self) -> None:
        assert self.writer is not None
        assert self.writer.poll() is None, "the writer ended by itself"
        self.writer.kill()
        self.writer.wait()


WRITER = [sys.executable, "-m", "luckygas.tests.writer"]
Fault = Callable[[Scene], AbstractContextManager[None]]


def health(site: Site, part: str) -> tuple[int, dict[str, Any]]:
    answer = requests.get(f"{site.url}/health/{part}", headers={"Authorization": f"Bearer {MONITOR}"}, timeout=5)
    return answer.status_code, answer.json()


def wait_for_readiness(scene: Scene, status: int, word: str) -> None:
    """Waits until `/health/ready` of every running server answers with this status and word."""

    def readiness() -> list[tuple[int, str]]:
        responses = [health(site, "ready") for site in running_sites(scene)]
        return [(code, answer["status"]) for code, answer in responses]

    wait_for(lambda: set(readiness()) == {(status, word)}, DETECTION_SECONDS, readiness)


def running_sites(scene: Scene) -> list[Site]:
    return [site for site in scene.cluster.sites if site.process is not None and site.process.poll() is None]


def sockets_connect(scene: Scene) -> None:
    for site in running_sites(scene):
        with connect(f"{site.ws}/office?token={scene.token}", open_timeout=3, proxy=None) as socket:
            assert '"connected"' in str(socket.recv(timeout=3))


@contextmanager
def without_redis(scene: Scene, fail: Callable[[], object], recover: Callable[[], None]) -> Iterator[None]:
    fail()
    wait_for_readiness(scene, 200, "degraded")
    assert {health(site, "redis")[1]["status"] for site in running_sites(scene)} == {"degraded"}
    sockets_connect(scene)
    yield
    recover()
    wait_for_readiness(scene, 200, "healthy")


def redis_killed(scene: Scene) -> AbstractContextManager[None]:
    return without_redis(scene, scene.cluster.redis.kill, scene.cluster.redis.start)


@contextmanager
def redis_restarted(scene: Scene) -> Iterator[None]:
    scene.cluster.redis.kill()
    scene.cluster.redis.start()
    yield
    wait_for_readiness(scene, 200, "healthy")


def redis_frozen(scene: Scene) -> AbstractContextManager[None]:
    send = scene.cluster.redis.send
    return without_redis(scene, partial(send, signal.SIGSTOP), partial(send, signal.SIGCONT))


def redis_half_open(scene: Scene) -> AbstractContextManager[None]:
    return without_redis(scene, scene.cluster.redis_proxy.drop_data, scene.cluster.redis_proxy.recover)


@contextmanager
def server_killed(scene: Scene) -> Iterator[None]:
    site = scene.chance.choice(scene.cluster.sites)
    site.kill()
    sockets_connect(scene)
    yield
    site.start()


@contextmanager
def writer_killed(scene: Scene) -> Iterator[None]:
    scene.stop_writing()
    yield
    scene.write()


@contextmanager
def killed_between_commit_and_bell(scene: Scene) -> Iterator[None]:
    died = subprocess.run(
        [*WRITER, "die"], cwd=ROOT, env=environment(**scene.cluster.environment), timeout=20, check=False
    )
    assert died.returncode == -signal.SIGKILL
    yield


@contextmanager
def postgres_restarted(scene: Scene) -> Iterator[None]:
    postgres = scene.cluster.postgres
    postgres.kill(signal.SIGQUIT)  # immediate shutdown: no checkpoint, recovery from the WAL at start
    wait_for_readiness(scene, 503, "unhealthy")
    yield
    postgres.start()
    scene.returned.append(time.time())
    wait_for_readiness(scene, 200, "healthy")


FAULTS: list[Fault] = [
    redis_killed, redis_restarted, redis_frozen, redis_half_open, server_killed, server_killed, writer_killed,
    killed_between_commit_and_bell, postgres_restarted,
]  # fmt: skip
