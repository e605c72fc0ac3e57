"""One open socket, as the hub sees it: who it is, how much it may say, and somewhere to put frames without waiting."""

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

# Codes to close with: the standard's (RFC 6455, 7.4.1, and its registry) and, from 4000 on, our own.
NO_CODE = 1005
TOO_BIG = 1009
INTERNAL_ERROR = 1011
SERVICE_RESTART = 1012
TRY_AGAIN_LATER = 1013
SLOW_CLIENT = 4008
ENDED = 4401
FORBIDDEN = 4403
SILENT = 4408
TOO_MANY_CONNECTIONS = 4409
TOO_FAST = 4429

# Holders of one link: it is passed on in a family or an office, and forwarded no further.
PER_LINK = 20
# Who goes on after so many refused messages, less so many a second, is closed.
MOST_REFUSALS = 100
REFUSALS_FORGOTTEN_PER_SECOND = 10.0
# The name under which a server offers `Out` among the scope's extensions (ASGI, “Extensions”).
EXTENSION = "luckygas.frames"


class Allowance:
    """A token bucket: `burst` at once, `per_second` in the long run."""

    __slots__ = ("_at", "_burst", "_left", "_per_second")

    def __init__(self, per_second: float, burst: float) -> None:
        self._per_second, self._burst = per_second, burst
        self._left, self._at = burst, monotonic()

    def take(self) -> bool:
        now = monotonic()
        self._left = min(self._burst, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


def most_connections(owner: str) -> int:
    """Of `user:17` or `track:5` (`Identity.owner`)."""
    return PER_LINK if owner.startswith("track:") else settings.WEBSOCKET_CONNECTIONS_PER_USER


class Batch:
    """Texts for those who read the same in a round, made into frames once for all of them."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts

    @cached_property
    def frames(self) -> bytes:
        """All of them in one piece."""
        return b"".join(map(frame, self.texts))


class Out(Protocol):
    """Where frames go: straight to the server's transport (`uvicorn_protocols`), or through a `Queue`."""

    def write(self, batch: Batch) -> None:
        """Never waits."""

    def bytes_waiting(self) -> int:
        """What is not taken because the client does not read; 0 while it keeps up."""

    def drop(self, code: int) -> None:
        """Closes a client that does not read."""


class Queue:
    """Through ASGI's `send`, and a task that runs `drain` (daphne, tests)."""

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
        """Hands what waits to the server, for as long as the socket is open."""
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._texts:
                text = self._texts.popleft()
                self._bytes -= size(text)
                await self._send(text)


def size(text: str) -> int:
    """The bytes of a text on the wire."""
    return len(text.encode())


class Connection:
    """`closing` gets the code when the socket is to be closed; from then on nothing more is written."""

    def __init__(self, identity: Identity, endpoint: str, out: Out) -> None:
        self.id = uuid.uuid4()
        self.identity, self.endpoint, self.out = identity, endpoint, out
        self.connected_at: datetime = timezone.now()
        self.channels: set[str] = set()
        self.closing: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._expiry: asyncio.TimerHandle | None = None
        # Texts written since the client last kept up.
        self._waiting = 0
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

        A burst while nothing waits does not count: it says nothing about whether the client reads.
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
        """Writes ephemeral events, unless something waits for this client already: the next ones tell it more."""
        if not self.closing.done() and not self.out.bytes_waiting():
            self.out.write(batch)

    def say(self, text: str) -> None:
        """Writes an answer, behind everything written before."""
        self.deliver(Batch([text]))

    def close(self, code: int) -> None:
        """Asks for the socket to be closed; the first code asked for counts."""
        if not self.closing.done():
            self.closing.set_result(code)
        if self.out.bytes_waiting():
            self.out.drop(code)

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
            read = sorted(chain.from_iterable(map(kinds.__getitem__, its)), key=attrgetter("seq"))
            batches[key] = Batch([event.text for event in read])
        yield reader, batches[key]
