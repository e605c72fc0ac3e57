"""Waiting for what other processes and threads do: asked until it is so; who waits too long fails."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")
# What a page or client promises after a failure: the longest pause between two tries (MOST_MS of backoff.js), then the
# longest that it waits for an answer (TIMEOUT_MS of api.js).
PAUSE_SECONDS, ANSWER_SECONDS = 30, 15
# A machine that does much beside keeps that too; who means "soon" says how soon.
PATIENCE_SECONDS = PAUSE_SECONDS + ANSWER_SECONDS + 5
# What the docs promise within a second (a switch, a position, a driver who comes) keeps this on a busy machine.
SOON_SECONDS = 10
AGAIN_SECONDS = 0.02


def wait_for(ask: Callable[[], Found], seconds: float = PATIENCE_SECONDS, say: Callable[[], object] = str) -> Found:
    """The first answer that is true; `say` what there is instead when it does not come.

    Raises AssertionError.
    """
    deadline = time.monotonic() + seconds
    while not (found := ask()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {say()}"
        time.sleep(AGAIN_SECONDS)
    return found


async def wait_for_async(ask: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> None:
    """The same for what this event loop does meanwhile; `ask` must not block. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not ask():  # noqa: ASYNC110  (what is waited for sends no event)
            await asyncio.sleep(AGAIN_SECONDS)
