"""Probes: health checks with a time limit. A probe returns a dictionary with a `status`, never raises, never hangs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from enum import StrEnum
from threading import Lock
from typing import Any

from django.db import connections

from web.slow_work import ThreadPool

Answer = dict[str, Any]
# A thread without an answer for LOST_SECONDS counts as lost, and a new thread replaces it. That happens at most
# MAX_LOST_THREADS times, because the memory of a lost thread is not freed.
LOST_SECONDS = 60.0
MAX_LOST_THREADS = 5


class HealthStatus(StrEnum):
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


def worst(answers: list[Answer]) -> HealthStatus:
    """Returns the worst status in the answers; HEALTHY if there are none."""
    order = list(HealthStatus)
    return max((HealthStatus(answer["status"]) for answer in answers), key=order.index, default=HealthStatus.HEALTHY)


class Probe:
    """Runs one health check on its own thread. Without an answer in `seconds` its status is `on_timeout`.

    Callers that come while a check runs share its answer, and get `on_timeout` at once if it is overdue. So neither
    threads nor requests pile up while the database is dead.
    """

    def __init__(
        self, check: Callable[[], Answer], seconds: float, on_timeout: HealthStatus = HealthStatus.UNHEALTHY
    ) -> None:
        self.check, self.seconds, self.on_timeout = check, seconds, on_timeout
        self._lock = Lock()
        self._running: Future[Answer] | None = None
        self._started_at = 0.0
        self._lost = 0
        self._pool = self._new_pool()

    def __call__(self) -> Answer:
        return self.begin()()

    def begin(self) -> Callable[[], Answer]:
        """Starts the check, unless it is running already. Returns a function that waits for the answer."""
        running, due = self._start_once(time.perf_counter())
        return lambda: self._wait(running, due)

    def _start_once(self, now: float) -> tuple[Future[Answer], float]:
        """Returns the future of the running check or of a new one, and the time when it is overdue."""
        with self._lock:
            if self._running is not None and not self._running.done():
                if now - self._started_at < LOST_SECONDS or self._lost == MAX_LOST_THREADS:
                    return self._running, self._started_at + self.seconds
                self._lost += 1
                self._pool = self._new_pool()
            self._running, self._started_at = self._pool.submit(self._measure), now
            return self._running, now + self.seconds

    @staticmethod
    def _new_pool() -> ThreadPool[Callable[[], Answer], Answer]:
        return ThreadPool(lambda job: job(), lambda: None, size=1, name="probe")

    def _wait(self, running: Future[Answer], due: float) -> Answer:
        try:
            return running.result(max(due - time.perf_counter(), 0))
        except TimeoutError:
            return {
                "status": self.on_timeout, "detail": f"no response within {self.seconds:g} s",
                "ms": self.seconds * 1000,
            }  # fmt: skip

    def _measure(self) -> Answer:
        started = time.perf_counter()
        answer = self._check_safely()
        return answer | {"ms": round((time.perf_counter() - started) * 1000, 1)}

    def _check_safely(self) -> Answer:
        """Runs the check. If it raises, returns an unhealthy answer."""
        try:
            return self.check()
        except Exception as error:  # a broken part may raise anything
            # Monitors read this answer. It has only the error's name, because the text may hold an address or password.
            return {"status": HealthStatus.UNHEALTHY, "detail": type(error).__name__}
        finally:
            connections.close_all()


def run_all(probes: Mapping[str, Probe]) -> dict[str, Answer]:
    """Runs all probes in parallel. Returns their answers by name."""
    started = {name: probe.begin() for name, probe in probes.items()}
    return {name: wait_for_answer() for name, wait_for_answer in started.items()}
