"""Threads with their own database connection, for tests of concurrency."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from django.db import connection, transaction

from luckygas.testing.site import database_url
from web.refusals import Refusal

Returned = TypeVar("Returned")
WAITING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock' AND query NOT LIKE '%%autovacuum%%'
"""


class Work:
    """Runs a function in its own thread, which starts at once."""

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
        """Waits at most `seconds` and returns whether the work is done."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def join(self) -> None:
        """Waits until the work is done, and raises its exception."""
        self._thread.join()
        if self._error is not None:
            raise self._error


def in_thread(work: Callable[[], object]) -> Work:
    return Work(work)


def run_concurrently(work: Callable[[Any], Any], each: Sequence[Any]) -> list[Any]:
    """Calls `work` for all values at the same moment, each in its own thread.

    Returns the results, with the code of a Refusal in place of a result if it raised one.
    """
    start = threading.Barrier(len(each))

    def run(one: Any) -> Any:
        start.wait()
        try:
            return work(one)
        except Refusal as refusal:
            return refusal.code
        finally:
            connection.close()

    with ThreadPoolExecutor(len(each)) as threads:
        return list(threads.map(run, each))


def sessions_waiting() -> int:
    """The number of sessions of this database that wait for a lock."""
    with connection.cursor() as cursor:
        cursor.execute(WAITING)
        return int(cursor.fetchone()[0])


def run_during(change: Callable[[], object], command: Callable[[], Returned]) -> Returned:
    """Starts `command` while `change` is uncommitted, so that `command` waits for the commit. Returns its result."""
    returned: list[Returned] = []
    with transaction.atomic():
        change()
        waiting = in_thread(lambda: returned.append(command()))
        while not sessions_waiting():
            assert not waiting.wait(0.01), "the command ended without waiting for the change"
    waiting.join()
    return returned[0]


@contextmanager
def run_between(before: str, after: str, work: Callable[[], object], seconds: float) -> Iterator[None]:
    """Runs `work` in a thread between two SQL statements of this connection, given by how they begin.

    The thread starts before the first statement `after` that follows a statement `before`. That statement waits at most
    `seconds` for the thread, and the end of the block waits until the thread is done.
    """
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


@contextmanager
def open_transaction(statement: str, *values: Any) -> Iterator[psycopg.Connection[Any]]:
    """Executes the statement in a transaction that stays open during the block, like one forgotten in psql."""
    with psycopg.connect(database_url()) as other:
        other.execute(statement, values)
        yield other
        other.rollback()
