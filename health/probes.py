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
# A thread without an answer for LOST_SECONDS is given up, and a new one takes its place: at most MAX_LOST_THREADS
# times, because a lost thread keeps its memory.
LOST_SECONDS = 60.0
MAX_LOST_THREADS = 5


class HealthStatus(StrEnum):
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


def worst(answers: list[Answer]) -> HealthStatus:
    """Returns the worst status of the parts."""
    order = list(HealthStatus)
    return max((HealthStatus(answer["status"]) for answer in answers), key=order.index, default=HealthStatus.HEALTHY)


class Probe:
    """Runs one health check on its own thread. Without an answer in `seconds` its status is `silent`.

    Callers that come while a check runs share its answer, and get `silent` at once if it is overdue. So a dead
    database collects neither threads nor requests.
    """

    def __init__(
        self, ask: Callable[[], Answer], seconds: float, silent: HealthStatus = HealthStatus.UNHEALTHY
    ) -> None:
        self.ask, self.seconds, self.silent = ask, seconds, silent
        self._lock = Lock()
        self._asked: Future[Answer] | None = None
        self._asked_at = 0.0
        self._lost = 0
        self._pool = self._new_pool()

    def __call__(self) -> Answer:
        return self.begin()()

    def begin(self) -> Callable[[], Answer]:
        """Starts the check. Returns a function that waits for the answer."""
        came = time.perf_counter()
        asked, due = self._ask_once(came)
        return lambda: self._answer(asked, due)

    def _ask_once(self, now: float) -> tuple[Future[Answer], float]:
        """Returns the future of the running or a new check, and when it is overdue."""
        with self._lock:
            if self._asked is not None and not self._asked.done():
                if now - self._asked_at < LOST_SECONDS or self._lost == MAX_LOST_THREADS:
                    return self._asked, self._asked_at + self.seconds
                self._lost += 1
                self._pool = self._new_pool()
            self._asked, self._asked_at = self._pool.submit(self._ask), now
            return self._asked, now + self.seconds

    @staticmethod
    def _new_pool() -> ThreadPool[Callable[[], Answer], Answer]:
        return ThreadPool(lambda job: job(), lambda: None, size=1, name="probe")

    def _answer(self, asked: Future[Answer], due: float) -> Answer:
        try:
            return asked.result(max(due - time.perf_counter(), 0))
        except TimeoutError:
            return {
                "status": self.silent, "detail": f"no response within {self.seconds:g} s", "ms": self.seconds * 1000,
            }  # fmt: skip

    def _ask(self) -> Answer:
        began = time.perf_counter()
        answer = self._asked_or_refused()
        return answer | {"ms": round((time.perf_counter() - began) * 1000, 1)}

    def _asked_or_refused(self) -> Answer:
        try:
            return self.ask()
        except Exception as error:  # a broken part may raise anything
            # Only the name: the text may hold an address or a password, and monitors read these pages.
            return {"status": HealthStatus.UNHEALTHY, "detail": type(error).__name__}
        finally:
            connections.close_all()


def ask_all(probes: Mapping[str, Probe]) -> dict[str, Answer]:
    """Runs all probes in parallel."""
    begun = {name: probe.begin() for name, probe in probes.items()}
    return {name: answer() for name, answer in begun.items()}
