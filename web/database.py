"""Whether the database is what failed: then it is worth trying again, and a request is answered 503."""

from __future__ import annotations

from django.db import DatabaseError, InterfaceError, InternalError, OperationalError

# SQLSTATEs of PostgreSQL that are no OperationalError: a transaction ended because its process was frozen in
# it (25P03, 25P04), and a standby takes no changes (25006).
AWAY = {"25P03", "25P04", "25006"}


def sqlstate(error: BaseException | None) -> str | None:
    """PostgreSQL's name for an error (its appendix A); None: it is no error of PostgreSQL, or has no name."""
    return getattr(error.__cause__, "sqlstate", None) if isinstance(error, DatabaseError) else None


def is_away(error: BaseException | None) -> bool:
    if isinstance(error, InternalError):
        return sqlstate(error) in AWAY
    return isinstance(error, (OperationalError, InterfaceError))
