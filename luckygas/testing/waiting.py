"""Waits for other processes and threads by polling, with a time limit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")
# After a failure, pages and clients back off for at most PAUSE_SECONDS (MAX_MS of backoff.js), and then wait at most
# ANSWER_SECONDS for an answer (TIMEOUT_MS of api.js).
PAUSE_SECONDS, ANSWER_SECONDS = 30, 15
# The usual time limit, long enough for a busy machine. Tests of what must happen sooner give their own limit.
PATIENCE_SECONDS = PAUSE_SECONDS + ANSWER_SECONDS + 5
# The limit for what the docs promise within a second (a switch, a position, a driver's arrival), on a busy machine.
SOON_SECONDS = 10
POLL_SECONDS = 0.02


def wait_for(
    condition: Callable[[], Found], seconds: float = PATIENCE_SECONDS, describe: Callable[[], object] = str
) -> Found:
    """Polls `condition` and returns its first true value. Raises AssertionError with `describe()` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {describe()}"
        time.sleep(POLL_SECONDS)
    return found


async def wait_for_async(condition: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> None:
    """Like `wait_for`, without blocking the event loop. `condition` must not block. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  (no event is sent when the condition becomes true)
            await asyncio.sleep(POLL_SECONDS)
