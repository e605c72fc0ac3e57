"""Keeps requests that wait for a locked row from taking all connections of the pool.

If a hanging transaction locks a row, every request for that row waits and holds a connection, until none is left. So a
thread in each process watches its own sessions in PostgreSQL. After one session has blocked others for
LONGEST_BLOCK_SECONDS, the oldest waiters may go on waiting, at most a quarter of the pool. The thread cancels the rest,
and their clients get 503 `row_locked`. A queue that moves has a new blocker each moment and is left alone. All locks
count: of `SELECT … FOR UPDATE`, of foreign keys at COMMIT, of a migration.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from time import monotonic, sleep
from typing import Any
from weakref import ref

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, Error, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from psycopg.pq import TransactionStatus

from web.database import LONG_WORK

log = logging.getLogger(__name__)

# Well below the one second in which other requests should be answered; many times a short transaction.
LONGEST_BLOCK_SECONDS = 0.25
LOOK_SECONDS = 0.05
# Pause after an error of the database.
RETRY_SECONDS = 1.0
AT_WORK = {TransactionStatus.ACTIVE, TransactionStatus.INTRANS, TransactionStatus.INERROR}
WAITING = """
    SELECT pid, pg_blocking_pids(pid) FROM pg_stat_activity
    WHERE wait_event_type = 'Lock' AND application_name <> %s AND pid = ANY(%s) ORDER BY query_start
"""
# Checks again that the session still waits, so that it never cancels the session's next statement.
CANCEL = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid = ANY(%s)"


def most_waiting() -> int:
    """Connections that may wait for one blocker."""
    return max(1, int(settings.DATABASE_POOL) // 4)


class Blockers:
    """The sessions that block others, and since when. `most`: sessions that may wait for one blocker."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._since: dict[int, float] = {}
        self.lasting: set[int] = set()

    def too_many(self, waiting: dict[int, list[int]], now: float) -> list[int]:
        """Returns the sessions to cancel. `waiting`: session → the sessions it waits for, the oldest waiter first."""
        heads = {pid: first_of(pid, waiting) for pid in waiting}
        self._since = {head: self._since.get(head, now) for head in heads.values()}
        lasting = {head for head, since in self._since.items() if now - since >= LONGEST_BLOCK_SECONDS}
        for head in lasting - self.lasting:
            log.warning("A database session blocks others.", extra={"session": head})
        self.lasting = lasting
        return [pid for pid, head in heads.items() if head in lasting][self.most :]


def first_of(pid: int, waiting: dict[int, list[int]]) -> int:
    """Returns the session that blocks `pid` in the end and does not wait itself."""
    seen = {pid}
    while ahead := [other for other in waiting.get(pid, ()) if other not in seen]:
        pid = ahead[0]
        seen.add(pid)
    return pid


class Watch:
    """The watching thread. Queries PostgreSQL only while more connections are at work than may wait."""

    def __init__(self) -> None:
        # Read once, because a test that restores its settings removes them for a moment.
        self.most = most_waiting()
        # Weak references, because a pool replaces its connections now and then.
        self._connections: deque[ref[Any]] = deque(maxlen=4 * settings.DATABASE_POOL)
        self._thread: threading.Thread | None = None

    def took(self, connection: Any) -> None:
        """Registers a connection that a thread of this process took from the pool. Starts the watching thread."""
        if (taken := ref(connection.connection)) not in self._connections:
            self._connections.append(taken)
        if self._thread is None or not self._thread.is_alive():  # threads do not survive a fork
            self._thread = threading.Thread(target=self._run, name="lock-waiters", daemon=True)
            self._thread.start()

    def at_work(self) -> list[int]:
        """Returns the sessions of this process that run a statement or are in a transaction.

        Idle connections do not count, such as those that a hub uses once a second.
        """
        known = [taken() for taken in list(self._connections)]
        infos = [connection.info for connection in known if connection is not None]
        return [info.backend_pid for info in infos if info.transaction_status in AT_WORK]

    def _run(self) -> None:
        while True:
            sleep(LOOK_SECONDS)
            try:
                if len(self.at_work()) > self.most:
                    self._look()
            except Error:
                log.warning("Cannot read which sessions wait for a lock.", exc_info=True)
                sleep(RETRY_SECONDS)

    def _look(self) -> None:
        """Cancels waiters until no blocker is left and few enough connections are at work."""
        blockers, own = Blockers(self.most), connections[DEFAULT_DB_ALIAS].copy()
        own.settings_dict["OPTIONS"].pop("pool")  # the pool may have no connection left
        try:
            while len(pids := self.at_work()) > self.most or blockers.lasting:
                with own.cursor() as cursor:
                    cursor.execute(WAITING, [LONG_WORK, pids])
                    if in_vain := blockers.too_many(dict(cursor.fetchall()), monotonic()):
                        cursor.execute(CANCEL, [in_vain])
                sleep(LOOK_SECONDS)
        finally:
            own.close()


watch = Watch()


def took(sender: Any, connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Receiver of `connection_created`, which Django sends whenever a thread gets a connection."""
    if getattr(connection, "pool", None) is not None:
        watch.took(connection)


def connect() -> None:
    connection_created.connect(took, dispatch_uid="luckygas.lock_waiters")
