"""One open socket, as the hub sees it: who it is, and somewhere to put frames without waiting."""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime

from django.utils import timezone

from realtime.channels import Identity

# What may wait for a client that does not read; past it the client is closed and resumes from its cursor.
MOST_FRAMES = 256
MOST_BYTES = 1 << 20
SLOW_CLIENT = 4008


class Connection:
    """A bounded queue and the task that empties it. Frames leave in the order they were written."""

    def __init__(self, identity: Identity, endpoint: str, send: Callable[[str], Awaitable[None]]) -> None:
        self.id = uuid.uuid4()
        self.identity = identity
        self.endpoint = endpoint
        self.connected_at: datetime = timezone.now()
        self.channels: set[str] = set()
        self.closing: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._send = send
        self._waiting: deque[str] = deque()
        self._bytes = 0
        self._filled = asyncio.Event()

    def write(self, frames: Iterable[str]) -> None:
        """Queues frames; never waits. A client that has fallen too far behind is marked for closing instead."""
        for frame in frames:
            self._waiting.append(frame)
            self._bytes += len(frame)
        if len(self._waiting) > MOST_FRAMES or self._bytes > MOST_BYTES:
            self.close(SLOW_CLIENT)
        self._filled.set()

    def close(self, code: int) -> None:
        """Asks the consumer to close the socket; the first code asked for counts."""
        if not self.closing.done():
            self.closing.set_result(code)

    async def drain(self) -> None:
        """Sends what is queued, for as long as the socket is open."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._waiting:
                frame = self._waiting.popleft()
                self._bytes -= len(frame)
                await self._send(frame)
