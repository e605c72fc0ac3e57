"""Keeps requests that wait for a locked row from taking all connections of the pool.

If a hanging transaction locks a row, every request for that row waits and holds a connection, until none is left. So a
thread in each process watches the process's sessions in PostgreSQL. After one session has blocked others for
LONGEST_BLOCK_SECONDS, the oldest waiters may go on waiting, at most a quarter of the pool. The thread cancels the rest,
and their clients get 503 `row_locked`. A queue that moves has a new blocker each moment, so none of its waiters are
cancelled. All locks count: of `SELECT … FOR UPDATE`, of foreign keys at COMMIT, of a migration.
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

# A session that blocks others for longer counts as hanging. Much longer than a usual transaction, and well below the
# second within which requests should be answered.
LONGEST_BLOCK_SECONDS = 0.25
# The pause between two queries for waiting sessions, and the pause after a database error.
POLL_SECONDS, RETRY_SECONDS = 0.05, 1.0
BUSY = {TransactionStatus.ACTIVE, TransactionStatus.INTRANS, TransactionStatus.INERROR}
# Those of the given sessions that wait for a lock, and the sessions that block each. Leaves out sessions with long work
# (web.database).
WAITING = """
    SELECT pid, pg_blocking_pids(pid) FROM pg_stat_activity
    WHERE wait_event_type = 'Lock' AND application_name <> %s AND pid = ANY(%s) ORDER BY query_start
"""
# Cancels only sessions that still wait for a lock, because a session may have gone on to its next statement.
CANCEL = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid = ANY(%s)"


def max_waiting() -> int:
    """How many of this process's connections may wait for lasting blockers in total: a quarter of the pool."""
    return max(1, int(settings.DATABASE_POOL) // 4)


class Blockers:
    """The sessions that block others, and since when. `lasting`: those that have done so for LONGEST_BLOCK_SECONDS.

    `limit`: how many sessions may wait for lasting blockers.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._since: dict[int, float] = {}
        self.lasting: set[int] = set()

    def sessions_to_cancel(self, waiting: dict[int, list[int]], now: float) -> list[int]:
        """Returns the sessions that wait for lasting blockers, except the oldest `limit`. Updates `lasting`.

        `waiting`: session → its blockers, the oldest waiter first. `now`: seconds of `monotonic()`.
        """
        heads = {pid: first_blocker(pid, waiting) for pid in waiting}
        self._since = {head: self._since.get(head, now) for head in heads.values()}
        lasting = {head for head, since in self._since.items() if now - since >= LONGEST_BLOCK_SECONDS}
        for head in lasting - self.lasting:
            log.warning("The database session %d blocks others.", head)
        self.lasting = lasting
        return [pid for pid, head in heads.items() if head in lasting][self.limit :]


def first_blocker(pid: int, waiting: dict[int, list[int]]) -> int:
    """Follows blockers from `pid` to one that is not in `waiting`. In a deadlock: to one of the waiting sessions."""
    seen = {pid}
    while ahead := [other for other in waiting.get(pid, ()) if other not in seen]:
        pid = ahead[0]
        seen.add(pid)
    return pid


class Watch:
    """The watching thread. Starts to query PostgreSQL when more connections are busy than may wait."""

    def __init__(self) -> None:
        # Read once, because a test that restores its settings removes them for a moment.
        self.limit = max_waiting()
        # Weak references, because a pool replaces its connections now and then.
        self._connections: deque[ref[Any]] = deque(maxlen=4 * settings.DATABASE_POOL)
        self._thread: threading.Thread | None = None

    def register(self, connection: Any) -> None:
        """Adds a connection that a thread of this process got from the pool. Starts the watching thread if needed."""
        if (reference := ref(connection.connection)) not in self._connections:
            self._connections.append(reference)
        if self._thread is None or not self._thread.is_alive():  # threads do not survive a fork
            self._thread = threading.Thread(target=self._run, name="lock-waiters", daemon=True)
            self._thread.start()

    def busy_sessions(self) -> list[int]:
        """Returns the process's sessions that run a statement or are in a transaction, by their PostgreSQL process ids.

        Leaves out idle connections, such as those that a hub uses once a second.
        """
        known = [reference() for reference in list(self._connections)]
        infos = [connection.info for connection in known if connection is not None]
        return [info.backend_pid for info in infos if info.transaction_status in BUSY]

    def _run(self) -> None:
        while True:
            sleep(POLL_SECONDS)
            try:
                if len(self.busy_sessions()) > self.limit:
                    self._cancel_waiters()
            except Error:
                log.warning("Cannot read which sessions wait for a lock.", exc_info=True)
                sleep(RETRY_SECONDS)

    def _cancel_waiters(self) -> None:
        """Cancels waiters beyond the limit. Returns when no blocker lasts and few enough connections are busy."""
        blockers, own = Blockers(self.limit), connections[DEFAULT_DB_ALIAS].copy()
        own.settings_dict["OPTIONS"].pop("pool")  # the pool may have no connection left
        try:
            while len(pids := self.busy_sessions()) > self.limit or blockers.lasting:
                with own.cursor() as cursor:
                    cursor.execute(WAITING, [LONG_WORK, pids])
                    if to_cancel := blockers.sessions_to_cancel(dict(cursor.fetchall()), monotonic()):
                        cursor.execute(CANCEL, [to_cancel])
                sleep(POLL_SECONDS)
        finally:
            own.close()


watch = Watch()


def register_connection(sender: Any, connection: BaseDatabaseWrapper, **kwargs: Any) -> None:
    """Registers a pooled connection. Django sends `connection_created` whenever a thread gets a connection."""
    if getattr(connection, "pool", None) is not None:
        watch.register(connection)


def connect() -> None:
    connection_created.connect(register_connection, dispatch_uid="luckygas.lock_waiters")
