"""The hub's view of one open socket: its identity, its rate limits, and how frames are written without waiting."""

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

from realtime.frames import Encoded, encode_frame

if TYPE_CHECKING:  # uvicorn's `--ws` imports this module before Django's models can be imported
    from realtime.channels import Identity

# Close codes: the standard ones (RFC 6455, 7.4.1, and its registry) and, from 4000 on, our own.
NO_CODE = 1005
TOO_BIG = 1009
INTERNAL_ERROR = 1011
SERVICE_RESTART = 1012
TRY_AGAIN_LATER = 1013
SLOW_CLIENT = 4008
UNAUTHORIZED = 4401
FORBIDDEN = 4403
SILENT = 4408
TOO_MANY_CONNECTIONS = 4409
TOO_FAST = 4429

# Maximum number of sockets per tracking link. A family or an office may share one link.
MAX_LINK_CONNECTIONS = 20
# A client is closed when more than this many messages exceed the rate limit. The count falls by 10 each second.
MAX_REFUSALS = 100
REFUSALS_FORGOTTEN_PER_SECOND = 10.0
# The key in the ASGI scope's extensions under which a server provides its `FrameWriter`.
EXTENSION = "luckygas.frames"


class RateLimit:
    """A rate limit: `burst` at once, `per_second` in the long run."""

    __slots__ = ("_at", "_burst", "_left", "_per_second")

    def __init__(self, per_second: float, burst: float) -> None:
        self._per_second, self._burst = per_second, burst
        self._left, self._at = burst, monotonic()

    def take(self) -> bool:
        """Counts one use. Returns false, without counting it, if it exceeds the limit."""
        now = monotonic()
        self._left = min(self._burst, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


def connection_limit(owner: str) -> int:
    """The maximum number of sockets of an `Identity.owner`, such as `user:17` or `track:5`."""
    return MAX_LINK_CONNECTIONS if owner.startswith("track:") else settings.WEBSOCKET_CONNECTIONS_PER_USER


class Batch:
    """Messages for one or more sockets. Their WebSocket frames are encoded at most once, for all these sockets."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts

    @cached_property
    def frames(self) -> bytes:
        """All messages as consecutive WebSocket frames."""
        return b"".join(map(encode_frame, self.texts))


class FrameWriter(Protocol):
    """Where a connection writes: the server's transport (`uvicorn_protocols`), or a queue for ASGI's `send`."""

    def write(self, batch: Batch) -> None:
        """Writes without waiting for the client."""

    def bytes_waiting(self) -> int:
        """Bytes that wait in this process because the client reads too slowly; 0 while it keeps up."""

    def drop(self, code: int) -> None:
        """Prepares closing a client that does not read: discards the waiting bytes or closes the connection itself."""


class SendQueue:
    """Queues messages for ASGI's `send`, on servers without EXTENSION (daphne, tests). A task must run `drain`."""

    def __init__(self, send: Callable[[str], Awaitable[None]]) -> None:
        self._send = send
        self._texts: deque[str] = deque()
        self._bytes = 0
        self._filled = asyncio.Event()

    def write(self, batch: Batch) -> None:
        self._texts.extend(batch.texts)
        self._bytes += sum(map(size, batch.texts))
        self._filled.set()

    def bytes_waiting(self) -> int:
        return self._bytes

    def drop(self, code: int) -> None:
        self._texts.clear()
        self._bytes = 0

    async def drain(self) -> None:
        """Sends queued messages to the server until cancelled."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._texts:
                text = self._texts.popleft()
                self._bytes -= size(text)
                await self._send(text)


def size(text: str) -> int:
    """The size of a text in bytes, as UTF-8."""
    return len(text.encode())


class Connection:
    """An open socket. `closing` resolves to the close code; after that, events and messages are discarded."""

    def __init__(self, identity: Identity, endpoint: str, out: FrameWriter) -> None:
        self.id = uuid.uuid4()
        self.identity, self.endpoint, self.out = identity, endpoint, out
        self.connected_at: datetime = timezone.now()
        self.channels: set[str] = set()
        self.closing: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._expiry: asyncio.TimerHandle | None = None
        # Messages written since the client last kept up.
        self._waiting = 0
        self.last_message_at = monotonic()
        self._messages = RateLimit(settings.WEBSOCKET_MESSAGES_PER_SECOND, settings.WEBSOCKET_BURST)
        self._refusals = RateLimit(REFUSALS_FORGOTTEN_PER_SECOND, MAX_REFUSALS)

    def count_message(self) -> bool:
        """Counts a client's message and records its time. Returns false if it exceeds the rate limit.

        Closes a client that exceeds the limit too often.
        """
        self.last_message_at = monotonic()
        allowed = self._messages.take()
        if not allowed and not self._refusals.take():
            self.close(TOO_FAST)
        return allowed

    def deliver(self, batch: Batch) -> None:
        """Writes a batch without waiting. Closes the connection instead if too much data waits for the client.

        A batch that is written while no data waits does not count: its size does not show whether the client reads.
        """
        if self.closing.done():
            return
        if waiting := self.out.bytes_waiting():
            self._waiting += len(batch.texts)
            if waiting > settings.WEBSOCKET_WAITING_BYTES or self._waiting > settings.WEBSOCKET_WAITING_EVENTS:
                self.close(SLOW_CLIENT)
                return
        else:
            self._waiting = 0
        self.out.write(batch)

    def offer(self, batch: Batch) -> None:
        """Writes ephemeral events. Drops them while data waits for the client, because the next ones replace them."""
        if not self.closing.done() and not self.out.bytes_waiting():
            self.out.write(batch)

    def write(self, text: str) -> None:
        """Writes one message, after everything written before."""
        self.deliver(Batch([text]))

    def close(self, code: int) -> None:
        """Requests the closing of the socket. The first code counts. A client that does not read cannot delay it."""
        if not self.closing.done():
            self.closing.set_result(code)
        if self.out.bytes_waiting():
            self.out.drop(code)

    def schedule_expiry(self) -> None:
        """Schedules the closing for when the identity expires, if it does. Call it again when the identity changes."""
        self.cancel_expiry()
        if self.identity.expires_at is not None:
            left = self.identity.expires_at - timezone.now().timestamp()
            self._expiry = asyncio.get_running_loop().call_later(left, self.close, UNAUTHORIZED)

    def cancel_expiry(self) -> None:
        """Cancels the closing that `schedule_expiry` scheduled."""
        if self._expiry is not None:
            self._expiry.cancel()


def batches(events: Sequence[Encoded], by_channel: Mapping[str, Set[Connection]]) -> Iterator[tuple[Connection, Batch]]:
    """Yields each reader with a batch of its events, without duplicates. Readers of the same events share a batch."""
    by_channels: defaultdict[frozenset[str], list[Encoded]] = defaultdict(list)
    for event in events:
        by_channels[event.channels].append(event)
    reads: defaultdict[Connection, list[frozenset[str]]] = defaultdict(list)
    for channels in by_channels:
        for reader in set().union(*(by_channel.get(channel, ()) for channel in channels)):
            reads[reader].append(channels)
    batches: dict[tuple[frozenset[str], ...], Batch] = {}
    for reader, channel_sets in reads.items():
        key = tuple(channel_sets)
        if key not in batches:
            read = sorted(chain.from_iterable(map(by_channels.__getitem__, channel_sets)), key=attrgetter("seq"))
            batches[key] = Batch([event.text for event in read])
        yield reader, batches[key]
