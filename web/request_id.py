"""The request id: one for each HTTP request, management command and WebSocket message.

Their log lines have it, and so do rows that are processed later: events, SMS. `bound_contextvars(request_id=…)` sets
the id. Tasks and the threads of `sync_to_async` inherit it; other threads do not.
"""

from __future__ import annotations

import re
from uuid import uuid4

from structlog.contextvars import get_contextvars

LENGTH = 64
# The ids that are accepted from a client or proxy. Others could forge a log line or be too long for a column.
WELL_FORMED = re.compile(rf"[A-Za-z0-9-]{{8,{LENGTH}}}")


def new() -> str:
    return uuid4().hex


def given_or_new(given: str) -> str:
    """The given `X-Request-ID` if it is well-formed, else a new id."""
    return given if WELL_FORMED.fullmatch(given) else new()


def current() -> str:
    """The current id; empty where none is set, as in a timer or a hub."""
    return str(get_contextvars().get("request_id", ""))
