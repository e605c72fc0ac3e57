"""One open socket, as the hub sees it: who it is, and somewhere to put frames without waiting."""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from django.utils import timezone

from realtime.channels import Identity
from realtime.frames import Encoded

# What may wait for a client that does not read; past it the client is closed and resumes from its cursor.
MOST_FRAMES = 256
MOST_BYTES = 1 << 20
SLOW_CLIENT = 4008


class Batch:
    """The events of one round for one audience, made once for all its readers."""

    __slots__ = ("events",)

    def __init__(self, events: Sequence[Encoded]) -> None:
        self.events = events


class Connection:
    """A bounded queue and the task that empties it. Frames leave in the order they were written.

    `closing` gets the code when the socket is to be closed; from then on nothing more is queued.
    """

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

    def deliver(self, batch: Batch) -> None:
        """Queues a round; never waits. A client that has not taken the rounds before is closed instead.

        The round itself does not count: a burst says nothing about whether the client reads.
        """
        if len(self._waiting) > MOST_FRAMES or self._bytes > MOST_BYTES:
            self.close(SLOW_CLIENT)
        self._queue([event.text for event in batch.events])

    def say(self, text: str) -> None:
        """Queues an answer, behind everything queued before."""
        if len(self._waiting) > MOST_FRAMES:
            self.close(SLOW_CLIENT)
        self._queue([text])

    def _queue(self, texts: Sequence[str]) -> None:
        if self.closing.done():
            return
        self._waiting.extend(texts)
        self._bytes += sum(map(size, texts))
        self._filled.set()

    def close(self, code: int) -> None:
        """Asks for the socket to be closed; the first code asked for counts."""
        if not self.closing.done():
            self.closing.set_result(code)

    async def drain(self) -> None:
        """Sends what is queued, for as long as the socket is open."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._waiting:
                text = self._waiting.popleft()
                self._bytes -= size(text)
                await self._send(text)


def size(text: str) -> int:
    """The bytes of a text on the wire."""
    return len(text.encode())
