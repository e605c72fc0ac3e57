"""Work that takes much of a processor or of memory: in a process one at a time, with no connection in hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore, Lock

from django.db import connection
from django.utils.functional import Promise

# When who was turned away may come back.
CROWD_SECONDS = 5
# Who works and who waits for it.
MOST_AT_ONCE = 16


class Crowded(Exception):
    """Too many wait for the same work; nothing was done. `detail` is for people."""

    def __init__(self, detail: str | Promise) -> None:
        super().__init__(detail)
        self.detail = detail


class Turns:
    """Of one kind of work. `crowded`: what is said to whom does not even wait."""

    def __init__(self, crowded: str | Promise, most: int = MOST_AT_ONCE) -> None:
        self._crowded = crowded
        self._places, self._turn = BoundedSemaphore(most), Lock()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Gives the connection back and waits. A transaction cannot do so: it does not wait. Raises Crowded."""
        if connection.in_atomic_block:
            yield
            return
        if not self._places.acquire(blocking=False):
            raise Crowded(self._crowded)
        try:
            connection.close()
            with self._turn:
                yield
        finally:
            self._places.release()
