"""The outbox: `announce` stores a change in its transaction, and wakes the hubs when the transaction commits.

The wake-up message, called the bell, carries no event. If a bell is lost, hubs still find the change on their timer.
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

# The channel layer's only group. All hubs join it; sockets do not, because the hub writes to them.
GROUP = "hub"
# Timeout of a call to the channel layer: how long a frozen or half-open Redis can delay it.
TIMEOUT_SECONDS = 1.0
# The callbacks that wake this process's hubs. The in-memory layer would wake other event loops too late.
_wake_callbacks: set[Callable[[], None]] = set()
# Sends bells from a process without a hub, so that no caller waits. Waiting bells are sent before the process ends.
bell_thread = ThreadPoolExecutor(1, thread_name_prefix="bell")
# Set while a bell waits for the thread. That bell covers all changes that commit before it is sent.
_bell_is_queued = threading.Event()
# During shutdown several threads may send bells themselves, and they share one event loop.
_bell_lock = threading.Lock()


def announce(type_: str, subject: str, delta: dict[str, Any]) -> None:
    """Adds a change of `subject` (`order:17`) to the outbox, in the open transaction. Its commit wakes the hubs."""
    Outbox.objects.create(type=type_, subject=subject, delta=delta)
    once_after_commit(wake_hubs)


def register(wake: Callable[[], None]) -> None:
    """Registers a callback for this process's commits with changes. `wake` must be safe to call from any thread."""
    _wake_callbacks.add(wake)


def unregister(wake: Callable[[], None]) -> None:
    _wake_callbacks.discard(wake)


def wake_hubs() -> None:
    """Wakes the hubs after a commit.

    A hub of this process is woken directly and sends the bell to other processes. Without a hub, a thread sends the
    bell, but not on the in-memory layer, which no other process reads.
    """
    if _wake_callbacks:
        for wake in tuple(_wake_callbacks):
            try:
                wake()
            except RuntimeError:  # the hub's event loop was closed without unregistering
                _wake_callbacks.discard(wake)
    elif not isinstance(get_channel_layer(), InMemoryChannelLayer) and not _bell_is_queued.is_set():
        _bell_is_queued.set()
        try:
            bell_thread.submit(_send_bell)
        except RuntimeError:  # the interpreter is shutting down and the executor refuses work
            _send_bell()


def _send_bell() -> None:
    _bell_is_queued.clear()
    with _bell_lock:
        _event_loop().run(broadcast({"type": "bell"}))


@cache
def _event_loop() -> asyncio.Runner:
    """The event loop that sends all bells, so that they share one connection of the channel layer."""
    return asyncio.Runner()


async def broadcast(message: dict[str, Any]) -> None:
    """Sends a message to every hub on the channel layer. Only logs failures, because hubs also read on a timer."""
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await get_channel_layer().group_send(GROUP, message)
    except Exception as error:  # any error of the layer: Redis is down, frozen or refuses
        logger.warning(
            "Sending on the channel layer failed (%s). Screens update within a second.", str(error) or "timeout"
        )
