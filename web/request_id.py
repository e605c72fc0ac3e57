"""For whom the code at hand works: one id for a request, a command or a message on a socket.

It stands in every line of the log, and on what is left for later: events, SMS. `bound_contextvars(request_id=…)` sets
it, and it goes along into threads and tasks.
"""

from __future__ import annotations

import re
from uuid import uuid4

from structlog.contextvars import get_contextvars

LENGTH = 64
# What a proxy in front may have given it; anything else might forge a line or fill a column.
WELL_FORMED = re.compile(rf"[A-Za-z0-9-]{{8,{LENGTH}}}")


def new() -> str:
    return uuid4().hex


def given_or_new(given: str) -> str:
    """`X-Request-ID` as it came, if it is well-formed."""
    return given if WELL_FORMED.fullmatch(given) else new()


def current() -> str:
    """Empty where nobody asked for what is done: a timer, a hub."""
    return str(get_contextvars().get("request_id", ""))
