"""The hub: one a process and event loop. It reads the log and writes each event to whoever may see it.

It wakes on the bell and on a timer, so that with Redis away, dead or half-open, events still arrive within a second.
Everything that touches `connections` runs on the loop without waiting in between; the database is asked on a thread of
the hub's own, which no slow query of a command and no SMS provider can hold up.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from channels.layers import get_channel_layer
from django.db import close_old_connections, connections
from django.utils import timezone

from realtime import bell, log, presence
from realtime.connection import Connection
from realtime.frames import Encoded
from realtime.statistics import Statistics

logger = logging.getLogger(__name__)
Result = TypeVar("Result")

# The longest an event waits when every bell is lost.
TIMER_SECONDS = 1.0
# Another process holds the lock: look again when it should be done.
BUSY_SECONDS = 0.05
# Events read in one round, and kept in memory so that clients that reconnect cost no query.
ROUND = 1000
RING = 5000
# A client may come from a hub that read further: how often to look again before calling it ahead of the log.
CATCH_UP_TRIES = 10
# Close code: the service restarts, come back (RFC 6455's registry).
SERVICE_RESTART = 1012
# How often the open connections are written down.
PRESENCE_SECONDS = 5.0


class Hub:
    """Use `await Hub.current()`; `attach` and `detach` connections, `subscribe` them to channels."""

    _hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.cursor = 0
        self.epoch = ""
        self.floor = 0
        self.connections: set[Connection] = set()
        self.statistics = Statistics()
        self._readers: defaultdict[str, set[Connection]] = defaultdict(set)
        self._recent: deque[Encoded] = deque(maxlen=RING)
        self._woken = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="hub")
        self._started: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    async def current(cls) -> Hub:
        """The running hub of this event loop, started on first use."""
        loop = asyncio.get_running_loop()
        hub = cls._hubs.get(loop)
        if hub is None:
            hub = cls._hubs[loop] = cls()
            hub._started = loop.create_task(hub._start())
        if hub._started is not None:
            await asyncio.shield(hub._started)
        return hub

    @classmethod
    def running(cls) -> list[Hub]:
        """The hubs of this process, for those who count."""
        return list(cls._hubs.values())

    async def _start(self) -> None:
        try:
            await self._in_thread(self._load)
        except BaseException:
            del self._hubs[self.loop]  # the next connection tries again
            raise
        bell.register(self.wake)
        for work in (self._run, self._listen, self._write_presence):
            self._spawn(work())

    def _load(self) -> None:
        """Begins at the end of the log, with the recent past in memory."""
        log.number()
        head = log.head()
        self.epoch, self.floor = head.epoch, head.floor
        events = log.read(max(head.seq - RING, head.floor), RING)
        self._recent.extend(Encoded.of(event) for event in events)
        self.cursor = events[-1].seq if events else head.seq

    async def stop(self) -> None:
        """Ends the hub's tasks and gives its database connection back."""
        bell.unregister(self.wake)
        self._hubs.pop(self.loop, None)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._in_thread(connections.close_all)
        self._thread.shutdown(wait=False)

    def _spawn(self, work: Any) -> None:
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _in_thread(self, function: Callable[..., Result], *args: Any) -> Result:
        def call() -> Result:
            close_old_connections()
            return function(*args)

        return await self.loop.run_in_executor(self._thread, call)

    def wake(self) -> None:
        """From any thread: there is something to read."""
        self.loop.call_soon_threadsafe(self._woken.set)

    # --- reading the log -------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            rung = await self._wait()
            try:
                await self._round(rung)
            except Exception:  # the database is away: say so, and look again with the timer
                logger.exception("The hub could not read the log and tries again.")
                await asyncio.sleep(TIMER_SECONDS)

    async def _wait(self) -> bool:
        """Until the bell (true) or the timer (false)."""
        try:
            async with asyncio.timeout(TIMER_SECONDS):
                await self._woken.wait()
        except TimeoutError:
            return False
        self._woken.clear()
        return True

    async def _round(self, rung: bool) -> None:
        numbered, events = await self._in_thread(self._look)
        if events is None:
            await self._begin_anew()
            return
        if numbered.busy:
            self.loop.call_later(BUSY_SECONDS, self._woken.set)
        if len(events) == ROUND:
            self._woken.set()
        if numbered.events:
            self._spawn(bell.broadcast({"type": "bell", "head": self.cursor + len(events)}))
        if not rung:
            self.statistics.bell_missed += len(events)
        self._deliver(events)

    def _look(self) -> tuple[log.Numbered, list[Encoded] | None]:
        """Numbers what waits and reads what is new; None for a log that is not the one we followed."""
        numbered, head = log.number(), log.head()
        if head.epoch != self.epoch or head.seq < self.cursor:
            return numbered, None
        new = log.read(self.cursor, ROUND) if head.seq > self.cursor else []
        return numbered, [Encoded.of(event) for event in new]

    async def _begin_anew(self) -> None:
        """Another log is in the database's place (a backup was restored): all clients come back and load afresh."""
        logger.warning("The event log begins anew; all sockets are asked to reconnect.")
        self._recent.clear()
        await self._in_thread(self._load)
        for reader in self.connections:
            reader.close(SERVICE_RESTART)

    def _deliver(self, events: Iterable[Encoded]) -> None:
        """Writes a round: each connection gets its events in one write, each at most once."""
        frames: defaultdict[Connection, list[str]] = defaultdict(list)
        for event in events:
            for reader in set().union(*(self._readers.get(channel, ()) for channel in event.channels)):
                frames[reader].append(event.text)
            self._recent.append(event)
            self.cursor = event.seq
            self.statistics.event(event.created_at)
            if event.type == "order.unassigned":
                self._end_rights(event)
        for reader, texts in frames.items():
            reader.write(texts)
            self.statistics.deliveries += len(texts)

    def _end_rights(self, event: Encoded) -> None:
        """The order is no longer theirs: what follows this event in the log is not for them."""
        channel = f"order:{event.data['order_id']}"
        for reader in tuple(self._readers.get(channel, ())):
            mine = {f"driver:{reader.identity.driver_id}", f"customer:{reader.identity.customer_id}"}
            if mine & event.channels:
                self.unsubscribe(reader, channel)

    # --- connections -----------------------------------------------------------------------------------------------

    def attach(self, reader: Connection) -> None:
        self.connections.add(reader)

    def detach(self, reader: Connection) -> None:
        for channel in tuple(reader.channels):
            self.unsubscribe(reader, channel)
        self.connections.discard(reader)

    def subscribe(self, reader: Connection, channels: Iterable[str]) -> None:
        """From the next event on. To be called in the same breath as reading `cursor`."""
        for channel in channels:
            reader.channels.add(channel)
            self._readers[channel].add(reader)

    def unsubscribe(self, reader: Connection, channel: str) -> None:
        reader.channels.discard(channel)
        self._readers[channel].discard(reader)
        if not self._readers[channel]:
            del self._readers[channel]

    async def resumable(self, since: int, epoch: str | None) -> bool:
        """Whether everything after `since` can still be told."""
        for _ in range(CATCH_UP_TRIES):
            if since <= self.cursor:
                break
            self._woken.set()  # the client was with a hub that is a little ahead of this one
            await asyncio.sleep(BUSY_SECONDS)
        if not self._remembers(since):
            self.floor = (await self._in_thread(log.head)).floor
        return self.floor <= since <= self.cursor and (not epoch or epoch == self.epoch)

    def _remembers(self, since: int) -> bool:
        return since >= self.cursor or bool(self._recent and self._recent[0].seq <= since + 1)

    async def missed(self, since: int, channels: set[str]) -> AsyncIterator[list[str]]:
        """What was written after `since` for these channels, in portions; at its end nothing up to `cursor` is missing.

        The caller must subscribe without waiting in between.
        """
        while since < self.cursor:
            remembered = self._remembers(since)
            events = list(self._recent) if remembered else await self._in_thread(self._read, since)
            portion = [event for event in events if since < event.seq <= self.cursor]
            if not portion:
                raise log.CursorGone  # pruned meanwhile
            since = portion[-1].seq
            yield [event.text for event in portion if channels & event.channels]

    @staticmethod
    def _read(since: int) -> list[Encoded]:
        return [Encoded.of(event) for event in log.read(since, ROUND)]

    def unassigned_since(self, cursor: int, channel: str) -> bool:
        """Whether a right to this order's channel may have ended after `cursor`."""
        return any(
            event.seq > cursor and event.type == "order.unassigned" and channel == f"order:{event.data['order_id']}"
            for event in reversed(self._recent)
        )

    # --- other processes -------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        """Hears the bell of other processes. Without the layer, the timer serves."""
        while True:
            try:
                layer = get_channel_layer()
                channel = await layer.new_channel()
                async with asyncio.timeout(bell.RING_SECONDS):
                    await layer.group_add(bell.GROUP, channel)
                self._woken.set()  # what rang before we listened
                while True:
                    message = await layer.receive(channel)
                    if message.get("head", self.cursor + 1) > self.cursor:
                        self._woken.set()
            except Exception as error:  # whatever the layer raises
                logger.warning("The channel layer cannot be heard (%s); looking each second.", error or "timeout")
                await asyncio.sleep(TIMER_SECONDS)

    async def _write_presence(self) -> None:
        """Writes down which connections are open, a few queries for all of them."""
        while True:
            try:
                await self._in_thread(presence.write, tuple(self.connections), timezone.now())
            except Exception:  # tried again with the next turn
                logger.exception("The open connections could not be written down.")
            await asyncio.sleep(PRESENCE_SECONDS)
