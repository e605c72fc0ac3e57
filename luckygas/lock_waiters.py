"""Keeps requests that wait for a locked row from taking all connections of the pool.

A forgotten transaction holds one row, sixty clerks want it, and each waits with a connection in hand: nobody else gets
one. So a thread of each process looks at its own sessions in PostgreSQL. Where one session has blocked others for
LONGEST_BLOCK_SECONDS, at most a quarter of the pool goes on waiting for it, those that came first; the rest are
cancelled, which the client is told as 503 `row_locked`. A queue that moves on has another session in front each moment
and is left alone. Locks of every kind count: of `SELECT … FOR UPDATE`, of foreign keys at COMMIT, of a migration.
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

# Below the second within which everybody else is answered; many times what a short transaction takes.
LONGEST_BLOCK_SECONDS = 0.25
LOOK_SECONDS = 0.05
# The database is away.
AGAIN_SECONDS = 1.0
AT_WORK = {TransactionStatus.ACTIVE, TransactionStatus.INTRANS, TransactionStatus.INERROR}
WAITING = """
    SELECT pid, pg_blocking_pids(pid) FROM pg_stat_activity
    WHERE wait_event_type = 'Lock' AND application_name <> %s AND pid = ANY(%s) ORDER BY query_start
"""
# Asked again: who has got the lock by now is not cancelled in what it does next.
CANCEL = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND pid = ANY(%s)"


def most_waiting() -> int:
    """Connections that may wait for one blocker."""
    return max(1, int(settings.DATABASE_POOL) // 4)


class Blockers:
    """Which sessions block others, and since when each was seen to. `most`: sessions that may wait for one blocker."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._since: dict[int, float] = {}
        self.lasting: set[int] = set()

    def too_many(self, waiting: dict[int, list[int]], now: float) -> list[int]:
        """Who waits in vain, of `waiting`: session → the sessions it waits for, in the order in which they began."""
        heads = {pid: first_of(pid, waiting) for pid in waiting}
        self._since = {head: self._since.get(head, now) for head in heads.values()}
        lasting = {head for head, since in self._since.items() if now - since >= LONGEST_BLOCK_SECONDS}
        for head in lasting - self.lasting:
            log.warning("A session of the database keeps others waiting.", extra={"session": head})
        self.lasting = lasting
        return [pid for pid, head in heads.items() if head in lasting][self.most :]


def first_of(pid: int, waiting: dict[int, list[int]]) -> int:
    """The session at the head of the queue in which `pid` stands: it waits for none of those seen."""
    seen = {pid}
    while ahead := [other for other in waiting.get(pid, ()) if other not in seen]:
        pid = ahead[0]
        seen.add(pid)
    return pid


class Watch:
    """The thread. It asks nothing while fewer connections are at work than may wait."""

    def __init__(self) -> None:
        # Read once: while a test restores its settings, the thread would find none for a moment.
        self.most = most_waiting()
        # A pool replaces its connections now and then.
        self._connections: deque[ref[Any]] = deque(maxlen=4 * settings.DATABASE_POOL)
        self._thread: threading.Thread | None = None

    def took(self, connection: Any) -> None:
        """A thread of this process has a connection from the pool now."""
        if (taken := ref(connection.connection)) not in self._connections:
            self._connections.append(taken)
        if self._thread is None or not self._thread.is_alive():  # after a fork it is not
            self._thread = threading.Thread(target=self._run, name="lock-waiters", daemon=True)
            self._thread.start()

    def at_work(self) -> list[int]:
        """Sessions of this process that carry out a statement or are in a transaction.

        A hub keeps its connections and uses them once a second: they do not count meanwhile.
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
                log.warning("The sessions that wait for a lock could not be looked at.", exc_info=True)
                sleep(AGAIN_SECONDS)

    def _look(self) -> None:
        """Until nobody waits for long, and as few are at work again as may wait."""
        blockers, own = Blockers(self.most), connections[DEFAULT_DB_ALIAS].copy()
        own.settings_dict["OPTIONS"].pop("pool")  # which may have nothing left to give
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
