"""The hub reads new events from the log and writes them to the sockets that are subscribed to their channels.

Each event loop with sockets has one hub. A bell (the wake-up message after a commit) or a timer starts a round: the hub
reads and writes once. So events arrive within a second even when Redis is down or hangs. Code that changes connections
runs on the event loop and does not await in between. Queries run on the hub's own threads, so slow commands and SMS
providers cannot delay them.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import Any, ClassVar, TypeVar

from channels.layers import get_channel_layer
from django.conf import settings
from django.db import connections

from realtime import channels, epochs, log, metrics, outbox, positions, presence, rights
from realtime.channels import Identity
from realtime.connection import SERVICE_RESTART, SILENT, TRY_AGAIN_LATER, UNAUTHORIZED, batches
from realtime.frames import Encoded
from realtime.metrics import Pulse
from realtime.models import Event, LogHead
from realtime.positions import Positions
from realtime.presence import Presence
from realtime.readers import Readers
from web import flags, system_metrics
from web.timings import measure

logger = logging.getLogger(__name__)
Result = TypeVar("Result")

# How often to read the log without a bell: the maximum delay of an event when every bell is lost.
TIMER_SECONDS = 1.0
# The pause before the log is read again, if another process holds the lock on the log head, or if a resuming client's
# cursor is beyond the hub's.
BUSY_SECONDS = 0.05
# Maximum number of events that are read in one round.
MAX_ROUND_EVENTS = 1000
# Maximum number of events in memory, from which clients resume without a query. A client that missed more loads a
# snapshot, which is cheaper than a longer replay.
MAX_RECENT_EVENTS = 5000
# Maximum number of request ids in one log line.
MAX_LOGGED_REQUESTS = 20
# A client may come from a hub that has read further. Its cursor is refused if it is still ahead after this many checks.
CATCH_UP_TRIES = 10
# The pause after an error. The usual error is that the database is down.
RETRY_SECONDS = 1.0
# How often to query the rights of all connected users. This finds changes that sent no signal, for example by SQL.
RIGHTS_SECONDS = 45.0
# How many times per WEBSOCKET_SILENCE_SECONDS to look for silent clients.
SILENCE_CHECKS = 15


class Hub:
    """The hub of one event loop. Get it with `await Hub.current()`."""

    _hubs: ClassVar[dict[asyncio.AbstractEventLoop, Hub]] = {}

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.cursor = 0
        self.epoch = ""
        self.past: epochs.Past = ()
        self.readers = Readers()
        self.pulse = Pulse()
        self._recent: deque[Encoded] = deque(maxlen=MAX_RECENT_EVENTS)
        self._woken = asyncio.Event()
        self._committed_here = False
        # One thread reads the log and the switches. The other runs all other queries, so that they cannot delay events.
        self._log_thread = ThreadPoolExecutor(1, thread_name_prefix="hub")
        self._side_thread = ThreadPoolExecutor(1, thread_name_prefix="hub-note")
        self._run_on_side_thread = partial(self._run, self._side_thread)
        self.positions = Positions(self.readers, self._run_on_side_thread)
        self._presence = Presence(self.readers, self._run_on_side_thread)
        self._started: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @classmethod
    async def current(cls) -> Hub:
        """The running hub of this event loop, started on first use."""
        loop = asyncio.get_running_loop()
        hub = cls._hubs.get(loop)
        if hub is None:
            for closed in [other for other in cls._hubs if other.is_closed()]:
                outbox.unregister(cls._hubs.pop(closed).wake)
            hub = cls._hubs[loop] = cls()
            hub._started = loop.create_task(hub._start())
        if hub._started is not None:
            await asyncio.shield(hub._started)
        return hub

    @classmethod
    def instances(cls) -> list[Hub]:
        """The hubs of this process, for health checks and tests."""
        return list(cls._hubs.values())

    async def _start(self) -> None:
        try:
            await self._refresh_switches(by_bell=True)
            self.begin(*await self._run(self._log_thread, self._load))
        except BaseException:
            await self.stop()  # the next connection tries again
            raise
        outbox.register(self.wake)
        self._spawn(self._listen())
        for work, pause in (
            (self._run_once, 0.0),
            (self.positions.run_once, positions.PAUSE_SECONDS),
            (self._presence.run_once, presence.PAUSE_SECONDS),
            (partial(self._run_on_side_thread, system_metrics.write), system_metrics.WRITE_SECONDS),
            (self._check_rights, RIGHTS_SECONDS),
            (self._close_silent, settings.WEBSOCKET_SILENCE_SECONDS / SILENCE_CHECKS),
        ):
            self._spawn(self._repeat(work, pause))

    @staticmethod
    def _load() -> tuple[LogHead, list[Encoded], list[Encoded]]:
        """Returns the log head, the last events (at most MAX_RECENT_EVENTS) and the recent revocations.

        Assigns event ids to the changes in the outbox first.
        """
        log.assign_event_ids()
        head = log.head()
        past = [
            Encoded.of(event) for event in log.read(max(head.seq - MAX_RECENT_EVENTS, head.floor), MAX_RECENT_EVENTS)
        ]
        return head, past, rights.recent_revocations()

    def begin(self, head: LogHead, recent: list[Encoded], revocations: list[Encoded]) -> None:
        """Sets the cursor to the end of the log, replaces the events in memory, and applies the revocations."""
        self._recent.clear()
        self._recent.extend(recent)
        self.epoch, self.past = head.epoch, head.past
        self.cursor = recent[-1].seq if recent else head.seq
        self.readers.revocations = rights.Revocations()  # a restored log may lack revocations that were read before
        for event in revocations:
            self.readers.revoke(event)

    async def stop(self) -> None:
        """Cancels the hub's tasks, closes its database connections and ends its threads."""
        outbox.unregister(self.wake)
        self._hubs.pop(self.loop, None)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for thread in (self._log_thread, self._side_thread):
            await self.loop.run_in_executor(thread, connections.close_all)
            thread.shutdown(wait=False)

    @staticmethod
    async def _repeat(work: Callable[[], Awaitable[Any]], pause: float) -> None:
        """Runs `work` for ever, with `pause` seconds in between. Logs errors and retries."""
        while True:
            try:
                await work()
            except Exception:
                logger.exception("Task %s of the hub failed. It is retried in %s s.", work, RETRY_SECONDS)
                await asyncio.sleep(RETRY_SECONDS)
            await asyncio.sleep(pause)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @staticmethod
    async def _run(thread: ThreadPoolExecutor, function: Callable[..., Result], *args: Any) -> Result:
        def call() -> Result:
            try:
                return function(*args)
            except Exception:
                connections.close_all()  # the connection may be broken: the next call opens a new one
                raise

        return await asyncio.get_running_loop().run_in_executor(thread, call)

    def wake(self) -> None:
        """Wakes the hub after this process committed a change. Safe to call from any thread."""
        self.loop.call_soon_threadsafe(self._on_commit)

    def _on_commit(self) -> None:
        self._committed_here = True
        self._woken.set()

    # --- reading the log -------------------------------------------------------------------------------------------

    async def _wait(self) -> bool:
        """Returns true when a bell came, false when the timer expired first."""
        try:
            async with asyncio.timeout(TIMER_SECONDS):
                await self._woken.wait()
        except TimeoutError:
            return False
        self._woken.clear()
        return True

    async def _run_once(self) -> None:
        by_bell = await self._wait()
        try:
            await self._run_round(by_bell)
        except Exception:
            self._woken.set()  # the failed round is retried without waiting for another bell
            raise

    async def _run_round(self, by_bell: bool) -> None:
        await self._refresh_switches(by_bell)
        if not self.serves:
            self.readers.close_all(TRY_AGAIN_LATER)
        committed_here, self._committed_here = self._committed_here, False
        last = self._recent[-1] if self._recent else None
        assigned, events = await self._run(
            self._log_thread, self._assign_and_read, self.cursor, self.epoch, committed_here, last
        )
        if events is None:
            await self._reload()
            return
        if assigned.busy:
            self.loop.call_later(BUSY_SECONDS, self._woken.set)
        if assigned.full or len(events) >= MAX_ROUND_EVENTS:
            self._woken.set()
        # Send the bell if this process assigned the ids, and also if it committed a change: another process that
        # assigned the ids may have sent none.
        if events and (assigned.events or committed_here):
            self._spawn(outbox.broadcast({"type": "bell", "head": events[-1].seq}))
        self.deliver(events)
        self.pulse.record_round((event.created_at for event in events), by_bell=by_bell)

    @staticmethod
    @measure("hub.look")
    def _assign_and_read(
        cursor: int, epoch: str, by_bell: bool, last: Encoded | None = None
    ) -> tuple[log.AssignedBatch, list[Encoded] | None]:
        """Assigns ids to one batch of changes in the outbox and reads the events after `cursor`.

        Returns None for the events when the log has another epoch, was replaced (this begins another epoch) or was
        pruned past the cursor. `last` is the event at the cursor, if that event is in memory.
        """
        seen = epochs.last_read()
        assigned = log.assign_next_batch(by_bell=by_bell)
        head = assigned.head
        if head.epoch != epoch or head.floor > cursor:
            return assigned, None
        events = _read_new(cursor, assigned)
        if head.seq < cursor or seen.is_lost_in(head) or (last and is_replaced(last, events)):
            log.begin_epoch(head)
            return assigned, None
        new = [event for event in events if event.seq > cursor]
        if new and new[0].seq != cursor + 1:
            return assigned, None
        if requests := sorted({event.request_id for event in assigned.events} - {""}):
            extra = {
                "events": [assigned.events[0].seq, assigned.events[-1].seq],
                "requests": requests[:MAX_LOGGED_REQUESTS],
            }
            logger.info("numbered", extra=extra)
        return assigned, [Encoded.of(event) for event in new]

    async def _reload(self) -> None:
        """Reloads the log after it was replaced (by a restore) or pruned past the cursor. Closes all sockets."""
        logger.warning("The event log was replaced or pruned. All sockets are closed and reconnect.")
        self.begin(*await self._run(self._log_thread, self._load))
        self.readers.close_all(SERVICE_RESTART)

    # --- switches --------------------------------------------------------------------------------------------------

    @property
    def serves(self) -> bool:
        """Whether sockets may be open: both switches were on when last read."""
        return flags.is_on_from_memory(flags.WEBSOCKETS) and flags.is_on_from_memory(flags.REAL_TIME)

    async def _refresh_switches(self, by_bell: bool) -> None:
        """Reads the switches. After a bell only if the values are older than MEMORY_SECONDS.

        Without a bell always, so an idle hub notices a change within a second.
        """
        older_than = flags.MEMORY_SECONDS if by_bell else 0
        if flags.age() > older_than:
            await self._run(self._log_thread, flags.refresh, older_than)

    # --- writing to sockets ----------------------------------------------------------------------------------------

    @measure("hub.deliver")
    def deliver(self, events: Sequence[Encoded]) -> None:
        """Writes the events of one round. Before a revocation closes sockets, they get the events that precede it."""
        first = 0
        for place, event in enumerate(events, start=1):
            self._recent.append(event)
            self.cursor = event.seq
            if event.type == rights.TYPE:
                self._write(events[first:place])
                self.readers.revoke(event)
                first = place
        self._write(events[first:])

    def _write(self, events: Sequence[Encoded]) -> None:
        written = 0
        for reader, batch in batches(events, self.readers.by_channel):
            reader.deliver(batch)
            written += len(batch.texts)
        metrics.DELIVERIES.inc(written)

    # --- periodic checks --------------------------------------------------------------------------------------------

    async def _check_rights(self) -> None:
        users = {reader: user for reader in self.readers.open if (user := reader.identity.user_id) is not None}
        current = await self._run_on_side_thread(rights.current_rights, users.values())
        for reader, user in users.items():
            if current.get(user) != reader.identity.rights:
                reader.close(UNAUTHORIZED)

    async def _close_silent(self) -> None:
        since = monotonic() - settings.WEBSOCKET_SILENCE_SECONDS
        for reader in self.readers.open:
            if reader.last_message_at < since:
                reader.close(SILENT)

    # --- clients that resume ---------------------------------------------------------------------------------------

    async def can_resume(self, since: int, epoch: str | None) -> bool:
        """Whether the hub can replay every event after `since`. Waits up to half a second for it to read that far."""
        for _ in range(CATCH_UP_TRIES):
            if since <= self.cursor and epoch in (None, "", self.epoch, *dict(self.past)):
                break
            self._woken.set()  # the hub that served this client before may be a little ahead of this one
            await asyncio.sleep(BUSY_SECONDS)
        floor = self.cursor - len(self._recent)
        return log.covers(since, epoch, floor=floor, seq=self.cursor, log_epoch=self.epoch, past=self.past)

    def missed_events(self, since: int, identity: Identity, subscribed: Iterable[str]) -> list[Encoded]:
        """Returns the events of these channels after `since`, up to `cursor`; none if the rights were revoked.

        Raises CursorGone when `since` is older than the events in memory.
        """
        if since < self.cursor - len(self._recent):
            raise log.CursorGone
        if self.readers.revocations.cover(identity):
            return []
        names = {name for channel in subscribed for name in channels.event_channels(identity, channel)}
        return [event for event in self._recent if event.seq > since and not names.isdisjoint(event.channels)]

    # --- other processes -------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        """Receives bells and positions from other processes. While the channel layer fails, the timer wakes the hub."""
        while True:
            layer = get_channel_layer()
            try:
                async with asyncio.timeout(outbox.TIMEOUT_SECONDS):
                    channel = await layer.new_channel()
                    await layer.group_add(outbox.GROUP, channel)
                self._woken.set()  # a bell may have come before the subscription
                while True:
                    message = await layer.receive(channel)
                    if message["type"] == "positions":
                        self.positions.receive(message)
                    elif message.get("head", self.cursor + 1) > self.cursor:
                        self._woken.set()
            except Exception as error:  # whatever the layer raises
                logger.warning("The channel layer failed (%s). The log is read every second.", error or "timeout")
                with suppress(Exception):  # frees the memory that the failed attempt left in the layer
                    async with asyncio.timeout(outbox.TIMEOUT_SECONDS):
                        await layer.flush()
                await asyncio.sleep(TIMER_SECONDS)


def _read_new(cursor: int, assigned: log.AssignedBatch) -> list[Event]:
    """Returns up to MAX_ROUND_EVENTS events after the cursor. If queried, the event at the cursor comes before them."""
    if assigned.events and assigned.events[0].seq == cursor + 1:
        return assigned.events[:MAX_ROUND_EVENTS]
    return log.read(cursor - 1, MAX_ROUND_EVENTS + 1) if assigned.events or assigned.head.seq > cursor else []


def is_replaced(known: Encoded, events: Sequence[Event]) -> bool:
    """Whether the log now has a different event at the position of `known`, which means that the log was replaced."""
    return bool(events) and events[0].seq == known.seq and events[0].created_at != known.created_at
