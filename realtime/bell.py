"""The bell: “there is something to read”. It carries no event: losing one loses nothing, the hub's timer looks too."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import InMemoryChannelLayer, get_channel_layer

logger = logging.getLogger(__name__)

# The one group that every hub joins; connections never do.
GROUP = "hub"
# A Redis that is frozen or half-open takes no longer than this from whoever rings.
RING_SECONDS = 1.0
# The hubs of this process, woken directly: the in-memory layer cannot be rung from another thread's loop in time.
_local: set[Callable[[], None]] = set()


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
    elif not isinstance(get_channel_layer(), InMemoryChannelLayer):
        async_to_sync(broadcast)({"type": "bell"})


async def broadcast(message: dict[str, Any]) -> None:
    """Sends to every hub on the channel layer; a failure is logged and is no error, for the timer is there."""
    try:
        async with asyncio.timeout(RING_SECONDS):
            await get_channel_layer().group_send(GROUP, message)
    except Exception as error:  # whatever the layer raises: Redis away, frozen, refusing
        logger.warning(
            "The channel layer did not take a message (%s); screens follow within a second.", error or "timeout"
        )
