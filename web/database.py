"""Classifies database errors, and sets how long work waits for a locked row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from time import monotonic, sleep
from typing import TypeVar

from django.db import DatabaseError, InterfaceError, InternalError, OperationalError, connection, transaction
from django.utils.translation import gettext_lazy as _

# SQLSTATEs of temporary failures that Django raises as InternalError, not as OperationalError. 25P03 and 25P04:
# PostgreSQL ended the transaction of a frozen process. 25006: the server is a read-only standby.
UNAVAILABLE = {"25P03", "25P04", "25006"}
Locked = TypeVar("Locked")
# SQLSTATEs of a statement that waited too long for a lock, and of one that was cancelled while it waited
# (luckygas.lock_waiters). See PostgreSQL 15, appendix A.
LOCK_NOT_AVAILABLE, QUERY_CANCELED = "55P03", "57014"
ROW_LOCKED = _("Another change to this is in progress. Nothing was changed; please try again in a moment.")
# How long one attempt of `long_work` waits for a lock, with its connection open, and how long all attempts together
# wait. The total must be below 90 s, the time limit of nginx.
ATTEMPT_SECONDS, MAX_WAIT_SECONDS = 0.1, 60.0
FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 0.1, 1.0
# The application_name of sessions that luckygas.lock_waiters does not cancel.
LONG_WORK = "luckygas-long-work"
SET_LOCAL = (
    "SELECT set_config('application_name', %s, true), set_config('lock_timeout', %s, true),"
    " set_config('idle_in_transaction_session_timeout', '0', true)"
)


def sqlstate(error: BaseException | None) -> str | None:
    """The SQLSTATE of an error from PostgreSQL (its manual, appendix A). None for errors without one."""
    return getattr(error.__cause__, "sqlstate", None) if isinstance(error, DatabaseError) else None


def is_unavailable(error: BaseException | None) -> bool:
    """Whether the same call may succeed later: the database is down, unreachable, read-only or busy (a lock failed)."""
    if isinstance(error, InternalError):
        return sqlstate(error) in UNAVAILABLE
    return isinstance(error, (OperationalError, InterfaceError))


def is_row_locked(error: BaseException | None) -> bool:
    """Whether the statement failed because another session held a lock for too long. Always false on SQLite."""
    return sqlstate(error) in (LOCK_NOT_AVAILABLE, QUERY_CANCELED)


@contextmanager
def long_work(lock: Callable[[], Locked], wait: float | None = None) -> Iterator[Locked]:
    """A transaction for an import or a change of many rows, without the time limits of short requests.

    `lock` takes every lock the work needs; the block gets its result. If another session holds one of the locks, the
    transaction is rolled back, the connection closed, and `lock` called again after a pause. After `wait` seconds
    (default 60) raises OperationalError. Inside another transaction there is only one attempt, of 60 s. On SQLite
    `lock` is called once.
    """
    give_up, pause = monotonic() + (MAX_WAIT_SECONDS if wait is None else wait), FIRST_PAUSE_SECONDS
    while True:
        try:
            transaction_stack, locked = _begin(lock)
            break
        except OperationalError as error:
            if connection.in_atomic_block or not is_row_locked(error) or monotonic() > give_up:
                raise
        connection.close()
        sleep(pause)
        pause = min(pause * 2, MAX_PAUSE_SECONDS)
    with transaction_stack:
        yield locked


def _begin(lock: Callable[[], Locked]) -> tuple[ExitStack, Locked]:
    """Returns the open transaction and the result of `lock`."""
    # Inside the caller's transaction there is only one attempt, so it gets the whole wait.
    lock_timeout = MAX_WAIT_SECONDS if connection.in_atomic_block else ATTEMPT_SECONDS
    with ExitStack() as stack:
        stack.enter_context(transaction.atomic())
        _set_lock_timeout(lock_timeout)
        locked = lock()
        _set_lock_timeout(MAX_WAIT_SECONDS)
        return stack.pop_all(), locked


def _set_lock_timeout(seconds: float) -> None:
    """Sets how long a statement of this transaction may wait for a lock. Does nothing on SQLite."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(SET_LOCAL, [LONG_WORK, f"{seconds * 1000:.0f}ms"])
