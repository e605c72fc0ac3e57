"""The outbox: a change is announced in its own transaction, and hubs are woken when that is committed.

The wake-up message, the bell, carries no event: losing one loses nothing, for the hub's timer looks too.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

from channels.layers import InMemoryChannelLayer, get_channel_layer

from realtime.models import Outbox
from web.after_commit import once_after_commit

logger = logging.getLogger(__name__)

# The one group that every hub joins; connections never do.
GROUP = "hub"
# A Redis that is frozen or half-open takes no longer than this from whoever rings.
RING_SECONDS = 1.0
# The hubs of this process, woken directly: the in-memory layer cannot be rung from another thread's loop in time.
_local: set[Callable[[], None]] = set()
# Rings for a process without a hub, so that nobody waits for it. When the process ends, it rings once more.
ringer = ThreadPoolExecutor(1, thread_name_prefix="bell")
# A bell that waits its turn tells of all that is committed by then.
_waits = threading.Event()
# During shutdown several threads may ring directly, and they share one event loop.
_one_rings = threading.Lock()


def announce(type_: str, subject: str, delta: dict[str, Any]) -> None:
    """Leaves what happened to `subject` (`order:17`) for the log, as part of the transaction that is open."""
    Outbox.objects.create(type=type_, subject=subject, delta=delta)
    once_after_commit(ring)


def register(wake: Callable[[], None]) -> None:
    """Has `wake`, which must be safe to call from any thread, called by every ring in this process."""
    _local.add(wake)


def unregister(wake: Callable[[], None]) -> None:
    _local.discard(wake)


def ring() -> None:
    """Tells the hubs that something was committed. A hub of this process numbers it and rings for the others."""
    if _local:
        for wake in tuple(_local):
            try:
                wake()
            except RuntimeError:  # its event loop is closed, and nobody told us
                _local.discard(wake)
    elif not isinstance(get_channel_layer(), InMemoryChannelLayer) and not _waits.is_set():
        _waits.set()
        try:
            ringer.submit(_ring_others)
        except RuntimeError:  # the interpreter is shutting down and the executor refuses work
            _ring_others()


def _ring_others() -> None:
    _waits.clear()
    with _one_rings:
        _loop().run(broadcast({"type": "bell"}))


@cache
def _loop() -> asyncio.Runner:
    """One loop, and so one connection of the channel layer, for all bells."""
    return asyncio.Runner()


async def broadcast(message: dict[str, Any]) -> None:
    """Sends to every hub on the channel layer; a failure is logged and is no error, for the timer is there."""
    try:
        async with asyncio.timeout(RING_SECONDS):
            await get_channel_layer().group_send(GROUP, message)
    except Exception as error:  # whatever the layer raises: Redis away, frozen, refusing
        logger.warning(
            "The channel layer did not take a message (%s); screens follow within a second.", str(error) or "timeout"
        )
