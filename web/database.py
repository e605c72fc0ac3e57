"""What an error of the database means, and how long work waits for a row that somebody else holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from time import monotonic, sleep
from typing import TypeVar

from django.db import DatabaseError, InterfaceError, InternalError, OperationalError, connection, transaction
from django.utils.translation import gettext_lazy as _

# SQLSTATEs of PostgreSQL that are no OperationalError: a transaction ended because its process was frozen in
# it (25P03, 25P04), and a standby takes no changes (25006).
AWAY = {"25P03", "25P04", "25006"}
Held = TypeVar("Held")
# PostgreSQL's names for a statement that waited too long for a lock, and for one that was cancelled while it waited
# (luckygas.lock_waiters); PostgreSQL 15, appendix A.
LOCK_NOT_AVAILABLE, QUERY_CANCELED = "55P03", "57014"
ROW_LOCKED = _("Someone else is changing this. Nothing was changed; please try again in a moment.")
# Of long work: how long one attempt holds a connection, and when it gives up. nginx gives up after 90 s.
ATTEMPT_SECONDS, LONGEST_WAIT_SECONDS = 0.1, 60.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.1, 1.0
# Marks a session whose waiting is not cut short.
LONG_WORK = "luckygas-long-work"
SET_LOCAL = (
    "SELECT set_config('application_name', %s, true), set_config('lock_timeout', %s, true),"
    " set_config('idle_in_transaction_session_timeout', '0', true)"
)


def sqlstate(error: BaseException | None) -> str | None:
    """PostgreSQL's name for an error (its appendix A); None: it is no error of PostgreSQL, or has no name."""
    return getattr(error.__cause__, "sqlstate", None) if isinstance(error, DatabaseError) else None


def is_away(error: BaseException | None) -> bool:
    if isinstance(error, InternalError):
        return sqlstate(error) in AWAY
    return isinstance(error, (OperationalError, InterfaceError))


def is_row_locked(error: BaseException | None) -> bool:
    """Whether a database error says that somebody else held the lock for too long."""
    return sqlstate(error) in (LOCK_NOT_AVAILABLE, QUERY_CANCELED)


@contextmanager
def long_work(lock: Callable[[], Held], wait: float | None = None) -> Iterator[Held]:
    """A transaction for an import or a change of many rows, which the time limits of short requests do not end.

    `lock` takes every lock the work needs; its result is what the block gets. While somebody else holds one of them no
    connection is held: the transaction is rolled back and `lock` called again, for `wait` seconds (a minute unless
    named). Raises OperationalError after that.
    """
    give_up, pause = monotonic() + (LONGEST_WAIT_SECONDS if wait is None else wait), FIRST_PAUSE_SECONDS
    while True:
        try:
            begun, held = _begin(lock)
            break
        except OperationalError as error:
            if connection.in_atomic_block or not is_row_locked(error) or monotonic() > give_up:
                raise
        connection.close()
        sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
    with begun:
        yield held


def _begin(lock: Callable[[], Held]) -> tuple[ExitStack, Held]:
    """The open transaction, and what was locked."""
    # Within a transaction of somebody else there is one attempt: it waits for as long as all of them.
    patience = LONGEST_WAIT_SECONDS if connection.in_atomic_block else ATTEMPT_SECONDS
    with ExitStack() as stack:
        stack.enter_context(transaction.atomic())
        _limit(patience)
        held = lock()
        _limit(LONGEST_WAIT_SECONDS)
        return stack.pop_all(), held


def _limit(seconds: float) -> None:
    """How long a statement of this transaction may wait for a lock. SQLite has one lock, and waits as always."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(SET_LOCAL, [LONG_WORK, f"{seconds * 1000:.0f}ms"])
