"""What is asked, and within which time. A probe answers a dictionary with a `status`, never raises and never hangs."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import StrEnum
from typing import Any

from django.db import connections

from notifications.pool import Pool

Answer = dict[str, Any]


class Health(StrEnum):
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


def worst(answers: list[Answer]) -> Health:
    """The health of a whole from that of its parts."""
    order = list(Health)
    return max((Health(answer["status"]) for answer in answers), key=order.index, default=Health.HEALTHY)


class Probe:
    """Runs one question on a thread of its own.

    While a question hangs, nobody waits for it a second time and none is asked behind it: a dead database does not
    collect threads.
    """

    def __init__(self, ask: Callable[[], Answer], seconds: float) -> None:
        self.ask, self.seconds = ask, seconds
        self.pool: Pool[Callable[[], Answer], Answer] = Pool(lambda job: job(), lambda: None, size=1)

    def __call__(self) -> Answer:
        started = time.perf_counter()
        if self.pool.drain(self.seconds):
            left = self.seconds - (time.perf_counter() - started)
            answer = self._answer(max(left, 0.001))
        else:
            answer = self._silent()
        return answer | {"ms": round((time.perf_counter() - started) * 1000, 1)}

    def _answer(self, seconds: float) -> Answer:
        try:
            return self.pool.submit(self._ask).result(seconds)
        except TimeoutError:
            return self._silent()
        except Exception as error:  # whatever a broken part raises is its answer
            # The name alone: the text may hold an address or a password, and these pages are read by monitors.
            return {"status": Health.UNHEALTHY, "detail": type(error).__name__}

    def _ask(self) -> Answer:
        try:
            return self.ask()
        finally:
            connections.close_all()

    def _silent(self) -> Answer:
        return {"status": Health.UNHEALTHY, "detail": f"no answer within {self.seconds:g} s"}
