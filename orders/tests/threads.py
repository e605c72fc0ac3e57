"""Work on a thread with a database connection of its own, for tests of what happens at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from django.db import connection, transaction

Returned = TypeVar("Returned")
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


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


def is_one_waiting() -> bool:
    """Whether a session of PostgreSQL waits for a lock."""
    with connection.cursor() as cursor:
        cursor.execute(WAITING)
        return bool(cursor.fetchone()[0])


def meanwhile(change: Callable[[], object], command: Callable[[], Returned]) -> Returned:
    """What `command` returns that began while `change` was not yet committed, and had to wait for it."""
    returned: list[Returned] = []
    with transaction.atomic():
        change()
        waiting = in_thread(lambda: returned.append(command()))
        while not is_one_waiting():
            assert not waiting.wait(0.01), "nothing held it up"
    waiting.join()
    return returned[0]


@contextmanager
def between(before: str, after: str, work: Callable[[], object], seconds: float) -> Iterator[None]:
    """Begins `work` on a thread once this connection has carried out a statement that begins with `before` and comes
    to the next that begins with `after`; waits `seconds` for it there, and at the end until it is done."""
    started: list[Work] = []
    seen: list[str] = []

    def watch(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if seen and not started and sql.startswith(after):
            started.append(in_thread(work))
            started[0].wait(seconds)
        if sql.startswith(before):
            seen.append(sql)
        return execute(sql, *rest)

    with connection.execute_wrapper(watch):
        yield
    started[0].join()
