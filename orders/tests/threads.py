"""Work on a thread with a database connection of its own, for tests of what happens at once."""

from __future__ import annotations

import threading
from collections.abc import Callable

from django.db import connection


class Work:
    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._work()
        except Exception as error:  # raised again by `join`, in the test
            self._error = error
        finally:
            connection.close()

    def wait(self, seconds: float) -> bool:
        """Whether it was done within `seconds`."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def join(self) -> None:
        """Waits until it is done; raises what it raised."""
        self._thread.join()
        if self._error is not None:
            raise self._error


def in_thread(work: Callable[[], object]) -> Work:
    return Work(work)
