"""Detects that the database was replaced, and then begins a new epoch of the log.

A promoted standby, a restored backup or a copied data directory may lack events. It then assigns their ids to others,
which clients with a cursor beyond its end would miss. So the log head stores which database last assigned event ids,
and each process remembers how far it read the log (docs/realtime.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from django.db import connection
from django.db.models import Func, TextField

from realtime.models import LogHead, new_epoch

# Earlier epochs, oldest first, each with the last position that the log has in common with it.
Past = Iterable[tuple[str, int]]
# Maximum number of earlier epochs whose cursors can still resume.
MAX_PAST_EPOCHS = 20
# Identifies a PostgreSQL database: the cluster (SYSTEM), and FACTS: the timeline (changes with a promotion), the
# database and the table (change with every restore).
SYSTEM = "(SELECT system_identifier FROM pg_control_system())"
FACTS = (
    "left(pg_walfile_name(pg_current_wal_lsn()), 8)",
    "(SELECT oid FROM pg_database WHERE datname = current_database())",
    "realtime_loghead.tableoid",
)
# The start of PostgreSQL. It changes when a copied data directory starts, but also at every restart.
START_TIME = "extract(epoch FROM pg_postmaster_start_time())"


def database_identity() -> Func:
    """SQL that identifies the database a `LogHead` is read from, as `facts@start`. PostgreSQL only."""
    facts = (SYSTEM, *FACTS) if may_read_system_identifier() else FACTS
    template = f"concat_ws('/', {', '.join(facts)}) || '@' || {START_TIME}"
    return Func(template=template, output_field=TextField())


@cache
def may_read_system_identifier() -> bool:
    """Whether this role may call `pg_control_system()`. Every role may, unless an administrator revoked it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT has_function_privilege('pg_control_system()', 'execute')")
        return bool(cursor.fetchone()[0])


@dataclass(frozen=True, slots=True)
class ReadPosition:
    """How far this process read the log. `stamp` distinguishes two logs of the same length."""

    epoch: str = ""
    seq: int = 0
    stamp: str = ""

    def is_lost_in(self, log: LogHead) -> bool:
        """Whether `log` has the same epoch but lacks events that this process read."""
        if self.epoch != log.epoch:
            return False
        return log.seq < self.seq or (log.seq == self.seq and log.stamp != self.stamp)


_last_read = ReadPosition()


def last_read() -> ReadPosition:
    """How far this process read the log. Call it before reading the log, because another thread may read further."""
    return _last_read


def remember(epoch: str, seq: int, stamp: str) -> None:
    """Remembers a committed log end. Ignores a log of the same epoch that is not longer: it may have lost events."""
    global _last_read  # noqa: PLW0603  (one per process)
    if epoch != _last_read.epoch or seq > _last_read.seq:
        _last_read = ReadPosition(epoch, seq, stamp)


def has_moved(log: LogHead, seen: ReadPosition) -> bool:
    """Whether another database last assigned event ids (`origin`) than the one from which `log` was read (`database`).

    A restart of PostgreSQL does not count if this process read the log before and the log holds all of what it read.
    """
    if not log.origin or not log.database or log.origin == log.database:
        return False
    was_restarted = log.origin.partition("@")[0] == log.database.partition("@")[0]
    return not (was_restarted and seen.epoch == log.epoch and not seen.is_lost_in(log))


def begin(log: LogHead, *, keeps_past: bool) -> None:
    """Gives `log` a new epoch without saving. `keeps_past`: older cursors up to the present end can still resume."""
    log.past = [*log.past, [log.epoch, log.seq]][-MAX_PAST_EPOCHS:] if keeps_past else []
    log.epoch = new_epoch()
    log.origin = log.database


def begin_if_replaced(log: LogHead, seen: ReadPosition) -> None:
    """Begins a new epoch, without saving, if the database was replaced. Call it before assigning event ids."""
    if has_moved(log, seen):
        begin(log, keeps_past=True)
    elif seen.is_lost_in(log):
        begin(log, keeps_past=False)
    log.origin = log.database
