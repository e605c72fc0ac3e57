"""When the log begins a new epoch: the database is not the one that gave the last number, and may lack events.

A promoted standby, a restored backup and a copy of the data directory give the numbers of lost events again, to other
events. A cursor beyond the end would skip those. So the head of the log holds in which database it was numbered last,
and each process remembers how far it saw the log (docs/realtime.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from django.db import connection
from django.db.models import Func, TextField

from realtime.models import LogHead, new_epoch

# The epochs of before, each with the last of its positions that this log shares; oldest first.
Past = Iterable[tuple[str, int]]
# Epochs of before whose cursors may still resume.
MOST_KEPT = 20
# What changes when another database of PostgreSQL is in the place of the one before: the server's identity and the time
# line (with a promotion), the database, and the table (with every restore).
SYSTEM = "(SELECT system_identifier FROM pg_control_system())"
FACTS = (
    "left(pg_walfile_name(pg_current_wal_lsn()), 8)",
    "(SELECT oid FROM pg_database WHERE datname = current_database())",
    "realtime_loghead.tableoid",
)
# What else changes when a copy of the data directory is started; and when PostgreSQL just restarts.
STARTED = "extract(epoch FROM pg_postmaster_start_time())"


def here() -> Func:
    """The database in which a `LogHead` is read, on PostgreSQL: `facts@start`."""
    facts = (SYSTEM, *FACTS) if may_ask_system() else FACTS
    template = f"concat_ws('/', {', '.join(facts)}) || '@' || {STARTED}"
    return Func(template=template, output_field=TextField())


@cache
def may_ask_system() -> bool:
    """Everybody may, unless an administrator revoked it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT has_function_privilege('pg_control_system()', 'execute')")
        return bool(cursor.fetchone()[0])


@dataclass(frozen=True, slots=True)
class Seen:
    """How far this process saw the log. `stamp` tells two logs apart that are equally long."""

    epoch: str = ""
    seq: int = 0
    stamp: str = ""

    def is_lost_in(self, log: LogHead) -> bool:
        """Whether this log, of the same epoch, does not hold all that was seen."""
        if self.epoch != log.epoch:
            return False
        return log.seq < self.seq or (log.seq == self.seq and log.stamp != self.stamp)


_seen = Seen()


def seen() -> Seen:
    """To be asked before the log is read with which it is compared: another thread may see more meanwhile."""
    return _seen


def remember(epoch: str, seq: int, stamp: str) -> None:
    """What is committed. A shorter log of the same epoch is not remembered: it lost something."""
    global _seen  # noqa: PLW0603  (one a process)
    if epoch != _seen.epoch or seq > _seen.seq:
        _seen = Seen(epoch, seq, stamp)


def has_moved(log: LogHead, seen: Seen) -> bool:
    """Whether nobody has numbered yet in the database that `log` was read in (`here`), or in this copy of it.

    A restart alone is no copy, if this process saw the log before and finds all of it.
    """
    if not log.origin or not log.here or log.origin == log.here:
        return False
    was_restarted = log.origin.partition("@")[0] == log.here.partition("@")[0]
    return not (was_restarted and seen.epoch == log.epoch and not seen.is_lost_in(log))


def begin(log: LogHead, *, keeps_past: bool) -> None:
    """Gives `log` a new epoch, unsaved. `keeps_past`: cursors of the old ones up to the present end still resume."""
    log.past = [*log.past, [log.epoch, log.seq]][-MOST_KEPT:] if keeps_past else []
    log.epoch = new_epoch()
    log.origin = log.here


def check(log: LogHead, seen: Seen) -> None:
    """Before a number is given: begins a new epoch, unsaved, unless this is the log that it was."""
    if has_moved(log, seen):
        begin(log, keeps_past=True)
    elif seen.is_lost_in(log):
        begin(log, keeps_past=False)
    log.origin = log.here
