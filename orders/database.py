"""Whether the database is what failed: then it is worth trying again, and a request is answered 503."""

from __future__ import annotations

from django.db import InterfaceError, InternalError, OperationalError

# SQLSTATEs of PostgreSQL that are no OperationalError: a transaction ended because its process was frozen in
# it (25P03, 25P04), and a standby takes no changes (25006).
AWAY = {"25P03", "25P04", "25006"}


def is_away(error: BaseException | None) -> bool:
    if isinstance(error, InternalError):
        return getattr(error.__cause__, "sqlstate", None) in AWAY
    return isinstance(error, (OperationalError, InterfaceError))
