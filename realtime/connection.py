"""One open socket, as the hub sees it: who it is, and somewhere to put frames without waiting."""

from __future__ import annotations

import asyncio
import uuid
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence, Set
from datetime import datetime
from functools import cached_property
from itertools import chain
from operator import attrgetter
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from django.conf import settings
from django.utils import timezone

from realtime.frames import Encoded, frame

if TYPE_CHECKING:  # a worker of uvicorn imports `--ws`, and so this, before the application and its models
    from realtime.channels import Identity
from realtime.limits import ENDED, MOST_REFUSALS, REFUSALS_FORGOTTEN_PER_SECOND, TOO_FAST, Allowance

# More waits for a client that does not read than may: it is closed, and resumes from its cursor.
SLOW_CLIENT = 4008
# The name under which a server offers `Frames` among the scope's extensions (ASGI, “Extensions”).
EXTENSION = "luckygas.frames"


class Batch:
    """The events of one round for those who read the same of it, made once for all of them."""

    def __init__(self, events: Sequence[Encoded]) -> None:
        self.events = events

    @cached_property
    def frames(self) -> bytes:
        """All of them as frames, in one piece."""
        return b"".join(frame(event.text) for event in self.events)


class Frames(Protocol):
    """A server's way out for ready-made frames (`realtime.uvicorn_protocol`)."""

    def write_frames(self, frames: bytes) -> None: ...
    def bytes_waiting(self) -> int: ...
    def drop(self, code: int) -> None: ...


class Connection:
    """`closing` gets the code when the socket is to be closed; from then on nothing more is written."""

    def __init__(self, identity: Identity, endpoint: str) -> None:
        self.id = uuid.uuid4()
        self.identity = identity
        self.endpoint = endpoint
        self.connected_at: datetime = timezone.now()
        self.channels: set[str] = set()
        self.closing: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._expiry: asyncio.TimerHandle | None = None
        self.heard_at = monotonic()
        self._messages = Allowance(settings.WEBSOCKET_MESSAGES_PER_SECOND, settings.WEBSOCKET_BURST)
        self._refusals = Allowance(REFUSALS_FORGOTTEN_PER_SECOND, MOST_REFUSALS)

    def hear(self) -> bool:
        """Takes note of a message, which is a sign of life. False: it is one too many, to be refused."""
        self.heard_at = monotonic()
        allowed = self._messages.take()
        if not allowed and not self._refusals.take():
            self.close(TOO_FAST)
        return allowed

    def deliver(self, batch: Batch) -> None:
        """Writes a round; never waits. A client that has not taken the rounds before is closed instead.

        The round itself does not count: a burst says nothing about whether the client reads.
        """
        raise NotImplementedError

    def offer(self, batch: Batch) -> None:
        """Writes ephemeral events, unless something waits for this client already: the next ones tell it more."""
        raise NotImplementedError

    def say(self, text: str) -> None:
        """Writes an answer, behind everything written before."""
        raise NotImplementedError

    def close(self, code: int) -> None:
        """Asks for the socket to be closed; the first code asked for counts."""
        if not self.closing.done():
            self.closing.set_result(code)

    def expire(self) -> None:
        """Has it closed when its identity ends; to be called again with another identity."""
        self.forget_expiry()
        if self.identity.expires_at is not None:
            left = self.identity.expires_at - timezone.now().timestamp()
            self._expiry = asyncio.get_running_loop().call_later(left, self.close, ENDED)

    def forget_expiry(self) -> None:
        """Takes `expire` back."""
        if self._expiry is not None:
            self._expiry.cancel()


def batches(events: Sequence[Encoded], by_channel: Mapping[str, Set[Connection]]) -> Iterator[tuple[Connection, Batch]]:
    """Each reader with its events, in order and each once; readers of the same events share the batch."""
    kinds: defaultdict[frozenset[str], list[Encoded]] = defaultdict(list)
    for event in events:
        kinds[event.channels].append(event)
    reads: defaultdict[Connection, list[frozenset[str]]] = defaultdict(list)
    for channels in kinds:
        for reader in set().union(*(by_channel.get(channel, ()) for channel in channels)):
            reads[reader].append(channels)
    batches: dict[tuple[frozenset[str], ...], Batch] = {}
    for reader, its in reads.items():
        key = tuple(its)
        if key not in batches:
            batches[key] = Batch(sorted(chain.from_iterable(map(kinds.__getitem__, its)), key=attrgetter("seq")))
        yield reader, batches[key]


class QueueConnection(Connection):
    """Through ASGI's `send`: a bounded queue and the task that empties it (daphne, tests)."""

    def __init__(self, identity: Identity, endpoint: str, send: Callable[[str], Awaitable[None]]) -> None:
        super().__init__(identity, endpoint)
        self._send = send
        self._waiting: deque[str] = deque()
        self._bytes = 0
        self._filled = asyncio.Event()

    def deliver(self, batch: Batch) -> None:
        if len(self._waiting) > settings.WEBSOCKET_WAITING_EVENTS or self._bytes > settings.WEBSOCKET_WAITING_BYTES:
            self.close(SLOW_CLIENT)
        self._queue([event.text for event in batch.events])

    def offer(self, batch: Batch) -> None:
        if not self._waiting:
            self._queue([event.text for event in batch.events])

    def say(self, text: str) -> None:
        if len(self._waiting) > settings.WEBSOCKET_WAITING_EVENTS:
            self.close(SLOW_CLIENT)
        self._queue([text])

    def _queue(self, texts: Sequence[str]) -> None:
        if self.closing.done():
            return
        self._waiting.extend(texts)
        self._bytes += sum(map(size, texts))
        self._filled.set()

    async def drain(self) -> None:
        """Hands what waits to the server, for as long as the socket is open."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._waiting:
                text = self._waiting.popleft()
                self._bytes -= size(text)
                await self._send(text)


class FrameConnection(Connection):
    """Straight to the server's transport: the same bytes for every reader of a round."""

    def __init__(self, identity: Identity, endpoint: str, way_out: Frames) -> None:
        super().__init__(identity, endpoint)
        self._out = way_out
        self._frames_waiting = 0

    def deliver(self, batch: Batch) -> None:
        self._write(batch.frames, len(batch.events))

    def offer(self, batch: Batch) -> None:
        if not self.closing.done() and not self._out.bytes_waiting():
            self._out.write_frames(batch.frames)

    def say(self, text: str) -> None:
        self._write(frame(text), 1)

    def _write(self, frames: bytes, count: int) -> None:
        if self.closing.done():
            return
        if waiting := self._out.bytes_waiting():
            self._frames_waiting += count
            most = settings.WEBSOCKET_WAITING_EVENTS
            if waiting > settings.WEBSOCKET_WAITING_BYTES or self._frames_waiting > most:
                self.close(SLOW_CLIENT)
                return
        else:
            self._frames_waiting = 0
        self._out.write_frames(frames)

    def close(self, code: int) -> None:
        super().close(code)
        if self._out.bytes_waiting():
            self._out.drop(code)


def size(text: str) -> int:
    """The bytes of a text on the wire."""
    return len(text.encode())
