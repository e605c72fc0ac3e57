"""Work that takes much of a processor or of memory: in a process one at a time, with no connection in hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore, Lock

from django.db import connection
from django.utils.functional import Promise

# When who was turned away may come back.
RETRY_SECONDS = 5
# Who works and who waits for it.
MOST_AT_ONCE = 16


class Overloaded(Exception):
    """Too many wait for the same work; nothing was done. `detail` is for people."""

    def __init__(self, detail: str | Promise) -> None:
        super().__init__(detail)
        self.detail = detail


class OneAtATime:
    """Of one kind of work. `overloaded`: what is said to whom does not even wait."""

    def __init__(self, overloaded: str | Promise) -> None:
        self.overloaded = overloaded
        self.places, self.lock = BoundedSemaphore(MOST_AT_ONCE), Lock()

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Gives the connection back and waits. A transaction cannot do so: it does not wait. Raises Overloaded."""
        if connection.in_atomic_block:
            yield
            return
        if not self.places.acquire(blocking=False):
            raise Overloaded(self.overloaded)
        try:
            connection.close()
            with self.lock:
                yield
        finally:
            self.places.release()
