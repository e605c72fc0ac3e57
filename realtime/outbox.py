"""The outbox: changes are announced in their own transaction, and hubs are woken when it commits.

The wake-up message, the bell, carries no event. Losing one loses nothing, because hubs also read the log on a timer.
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
# The longest time that a frozen or half-open Redis can delay a caller.
RING_SECONDS = 1.0
# The hubs of this process, woken directly, because the in-memory layer wakes other event loops too late.
_local: set[Callable[[], None]] = set()
# Rings for a process without a hub, on a thread, so no caller waits. Waiting bells are sent before the process ends.
ringer = ThreadPoolExecutor(1, thread_name_prefix="bell")
# Set while a bell waits for the thread. It covers all changes committed until it rings, so no second one is needed.
_waits = threading.Event()
# During shutdown several threads may ring directly, and they share one event loop.
_one_rings = threading.Lock()


def announce(type_: str, subject: str, delta: dict[str, Any]) -> None:
    """Adds a change of `subject` (`order:17`) to the outbox, in the open transaction. Rings once after the commit."""
    Outbox.objects.create(type=type_, subject=subject, delta=delta)
    once_after_commit(ring)


def register(wake: Callable[[], None]) -> None:
    """Registers a callback for every bell in this process. `wake` must be safe to call from any thread."""
    _local.add(wake)


def unregister(wake: Callable[[], None]) -> None:
    _local.discard(wake)


def ring() -> None:
    """Wakes the hubs after a commit. A hub of this process numbers the change and rings for the others."""
    if _local:
        for wake in tuple(_local):
            try:
                wake()
            except RuntimeError:  # the hub's event loop was closed without unregistering
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
    """The event loop of all bells, so that they share one connection of the channel layer."""
    return asyncio.Runner()


async def broadcast(message: dict[str, Any]) -> None:
    """Sends a message to every hub on the channel layer. Only logs failures, because the timer finds the changes."""
    try:
        async with asyncio.timeout(RING_SECONDS):
            await get_channel_layer().group_send(GROUP, message)
    except Exception as error:  # any error of the layer: Redis is down, frozen or refuses
        logger.warning(
            "Sending on the channel layer failed (%s). Screens update within a second.", str(error) or "timeout"
        )
