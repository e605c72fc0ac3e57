"""Counts the requests that were answered by 5xx, for the dashboard: in this process, written down beside them."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from threading import Lock

from django.db import connections
from django.utils import timezone

from health import samples
from web.thread_pool import ThreadPool

# Their 503 is an answer and not a failure.
OWN = "/health/"


class Failures:
    """What failed waits here until the database takes it: the usual reason for failures is that it does not."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._unwritten = Counter[datetime]()
        self.pool: ThreadPool[None, None] = ThreadPool(
            lambda _: self.write(), connections.close_all, size=1, name="failures"
        )

    def count(self) -> None:
        with self._lock:
            self._unwritten[samples.minute_of(timezone.now())] += 1
        if self.pool.drain(0):
            self.pool.submit(None)

    def write(self) -> None:
        """Writes down what is not yet. What the database does not take is tried again, with the next or by a hub."""
        with self._lock:
            taken, self._unwritten = self._unwritten, Counter()
        try:
            while taken:
                minute, number = next(iter(taken.items()))
                samples.count_failed(minute, number)
                del taken[minute]
        finally:
            with self._lock:
                self._unwritten.update(taken)


failures = Failures()


def answered(path: str, status: int) -> None:
    """To be told of every answer (luckygas.middleware)."""
    if status >= 500 and not path.startswith(OWN):
        failures.count()
