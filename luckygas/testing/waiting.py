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
# Enough for a busy machine. Tests that need “soon” name their own limit.
PATIENCE_SECONDS = PAUSE_SECONDS + ANSWER_SECONDS + 5
# The docs promise a second for a switch, a position and a driver's arrival. A busy machine gets this long.
SOON_SECONDS = 10
AGAIN_SECONDS = 0.02


def wait_for(ask: Callable[[], Found], seconds: float = PATIENCE_SECONDS, say: Callable[[], object] = str) -> Found:
    """Polls `ask` and returns its first true answer. Raises AssertionError with the text of `say` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not (found := ask()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {say()}"
        time.sleep(AGAIN_SECONDS)
    return found


async def wait_for_async(ask: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> None:
    """Like `wait_for`, without blocking the event loop. `ask` must not block. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not ask():  # noqa: ASYNC110  (what is waited for sends no event)
            await asyncio.sleep(AGAIN_SECONDS)
