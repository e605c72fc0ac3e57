"""The hub: one a process and event loop. It reads the log and writes each event to whoever may see it.

It wakes on the bell and on a timer, so that with Redis away, dead or half-open, events still arrive within a second.
Everything that touches connections runs on the loop without waiting in between; the database is asked on threads of
the hub's own, which no slow query of a command and no SMS provider can hold up.
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
from realtime.connection import ENDED, SERVICE_RESTART, SILENT, TRY_AGAIN_LATER, batches
from realtime.frames import Encoded
from realtime.metrics import Pulse
from realtime.models import Event, LogHead
from realtime.positions import Positions
from realtime.presence import Presence
from realtime.readers import Readers
from web import flags, system_metrics
from web.timings import measured

logger = logging.getLogger(__name__)
Result = TypeVar("Result")

# The longest an event waits when every bell is lost.
TIMER_SECONDS = 1.0
# Another process holds the lock: look again when it should be done.
BUSY_SECONDS = 0.05
# Events read in one round.
ROUND = 1000
# Events kept in memory: clients that come back cost no query. Who missed more loads the present state, which costs less
# than telling all of them.
RING = 5000
# Requests that one line of the log names.
MOST_NAMED = 20
# A client may come from a hub that read further: how often to look again before calling it ahead of the log.
CATCH_UP_TRIES = 10
# How long to wait after an error, usually a database that is away.
RETRY_SECONDS = 1.0
# How often the rights of all readers are asked again: for what changed past every signal, as by SQL.
RIGHTS_SECONDS = 45.0
# How often, within the silence that is allowed, it is looked who keeps it.
SILENCE_LOOKS = 15


class Hub:
    """Use `await Hub.current()`."""

    _hubs: ClassVar[dict[asyncio.AbstractEventLoop, Hub]] = {}

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.cursor = 0
        self.epoch = ""
        self.past: epochs.Past = ()
        self.readers = Readers()
        self.pulse = Pulse()
        self._recent: deque[Encoded] = deque(maxlen=RING)
        self._woken = asyncio.Event()
        self._rung_here = False
        # One thread looks for new events; the other notes who is there, and where, however long that takes.
        self._looking = ThreadPoolExecutor(1, thread_name_prefix="hub")
        self._noting = ThreadPoolExecutor(1, thread_name_prefix="hub-note")
        self._note = partial(self._ask, self._noting)
        self.positions = Positions(self.readers, self._note)
        self._presence = Presence(self.readers, self._note)
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
    def running(cls) -> list[Hub]:
        """The hubs of this process, for those who count."""
        return list(cls._hubs.values())

    async def _start(self) -> None:
        try:
            await self._refresh_switches(rung=True)
            self._begin(*await self._ask(self._looking, self._load))
        except BaseException:
            await self.stop()  # the next connection tries again
            raise
        outbox.register(self.wake)
        self._spawn(self._listen())
        for work, pause in (
            (self._turn, 0.0),
            (self.positions.turn, positions.PAUSE_SECONDS),
            (self._presence.turn, presence.PAUSE_SECONDS),
            (partial(self._note, system_metrics.write), system_metrics.WRITE_SECONDS),
            (self._check_rights, RIGHTS_SECONDS),
            (self._close_silent, settings.WEBSOCKET_SILENCE_SECONDS / SILENCE_LOOKS),
        ):
            self._spawn(self._repeat(work, pause))

    @staticmethod
    def _load() -> tuple[LogHead, list[Encoded], list[Encoded]]:
        """The end of the log, the recent past, and the rights that ended of late."""
        log.number()
        head = log.head()
        past = [Encoded.of(event) for event in log.read(max(head.seq - RING, head.floor), RING)]
        return head, past, rights.recent()

    def _begin(self, head: LogHead, recent: list[Encoded], ends: list[Encoded]) -> None:
        self._recent.clear()
        self._recent.extend(recent)
        self.epoch, self.past = head.epoch, head.past
        self.cursor = recent[-1].seq if recent else head.seq
        self.readers.ends = rights.Ends()  # those of a log that is lost never happened
        for event in ends:
            self.readers.end(event)

    async def stop(self) -> None:
        """Ends the hub's tasks and gives its database connections back."""
        outbox.unregister(self.wake)
        self._hubs.pop(self.loop, None)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for thread in (self._looking, self._noting):
            await self.loop.run_in_executor(thread, connections.close_all)
            thread.shutdown(wait=False)

    @staticmethod
    async def _repeat(work: Callable[[], Awaitable[Any]], pause: float) -> None:
        """For ever; `pause` in seconds."""
        while True:
            try:
                await work()
            except Exception:
                logger.exception("Part of the hub's work (%s) failed and is tried again.", work)
                await asyncio.sleep(RETRY_SECONDS)
            await asyncio.sleep(pause)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @staticmethod
    async def _ask(thread: ThreadPoolExecutor, function: Callable[..., Result], *args: Any) -> Result:
        def call() -> Result:
            try:
                return function(*args)
            except Exception:
                connections.close_all()  # it may be the connection that broke: the next call gets another
                raise

        return await asyncio.get_running_loop().run_in_executor(thread, call)

    def wake(self) -> None:
        """From any thread: this process committed something."""
        self.loop.call_soon_threadsafe(self._ring_here)

    def _ring_here(self) -> None:
        self._rung_here = True
        self._woken.set()

    # --- reading the log -------------------------------------------------------------------------------------------

    async def _wait(self) -> bool:
        """Until the bell (true) or the timer (false)."""
        try:
            async with asyncio.timeout(TIMER_SECONDS):
                await self._woken.wait()
        except TimeoutError:
            return False
        self._woken.clear()
        return True

    async def _turn(self) -> None:
        rung = await self._wait()
        try:
            await self._round(rung)
        except Exception:
            self._woken.set()  # the bell was not answered
            raise

    async def _round(self, rung: bool) -> None:
        await self._refresh_switches(rung)
        if not self.serves:
            self.readers.close_all(TRY_AGAIN_LATER)
        rung_here, self._rung_here = self._rung_here, False
        last = self._recent[-1] if self._recent else None
        numbered, events = await self._ask(self._looking, self._look, self.cursor, self.epoch, rung_here, last)
        if events is None:
            await self._begin_anew()
            return
        if numbered.busy:
            self.loop.call_later(BUSY_SECONDS, self._woken.set)
        if numbered.full or len(events) >= ROUND:
            self._woken.set()
        # Who commits here rings for the other processes, even if somebody else numbered it meanwhile.
        if events and (numbered.events or rung_here):
            self._spawn(outbox.broadcast({"type": "bell", "head": events[-1].seq}))
        self._deliver(events)
        self.pulse.looked((event.created_at for event in events), rung=rung)

    @staticmethod
    @measured("hub.look")
    def _look(
        cursor: int, epoch: str, rung: bool, last: Encoded | None = None
    ) -> tuple[log.Numbered, list[Encoded] | None]:
        """Numbers what waits and reads what is new; None for a log that is not the one we followed, or was pruned.

        `last`: the event at the cursor, if it is remembered.
        """
        seen = epochs.seen()
        numbered = log.number_waiting(rung=rung)
        head = numbered.head
        if head.epoch != epoch or head.floor > cursor:
            return numbered, None
        events = _read_on(cursor, numbered)
        if head.seq < cursor or seen.is_lost_in(head) or (last and is_another(last, events)):
            log.begin_epoch(head)
            return numbered, None
        new = [event for event in events if event.seq > cursor]
        if new and new[0].seq != cursor + 1:
            return numbered, None
        if asked := sorted({event.request_id for event in numbered.events} - {""}):
            said = {"events": [numbered.events[0].seq, numbered.events[-1].seq], "requests": asked[:MOST_NAMED]}
            logger.info("numbered", extra=said)
        return numbered, [Encoded.of(event) for event in new]

    async def _begin_anew(self) -> None:
        """Another log is in its place (a backup was restored), or we slept too long: all clients load afresh."""
        logger.warning("The event log begins anew; all sockets are asked to reconnect.")
        self._begin(*await self._ask(self._looking, self._load))
        self.readers.close_all(SERVICE_RESTART)

    # --- switches --------------------------------------------------------------------------------------------------

    @property
    def serves(self) -> bool:
        """Whether sockets may be open: both switches are on, as far as is known."""
        return flags.known(flags.WEBSOCKETS) and flags.known(flags.REAL_TIME)

    async def _refresh_switches(self, rung: bool) -> None:
        """With the timer always, so that a hub at rest knows within a second; else where what is known is old."""
        older_than = flags.MEMORY_SECONDS if rung else 0
        if flags.age() > older_than:
            await self._ask(self._looking, flags.refresh, older_than)

    # --- writing to sockets ----------------------------------------------------------------------------------------

    @measured("hub.deliver")
    def _deliver(self, events: Sequence[Encoded]) -> None:
        """Writes a round. What stands before the end of somebody's rights is written before they are closed."""
        first = 0
        for place, event in enumerate(events, start=1):
            self._recent.append(event)
            self.cursor = event.seq
            if event.type == rights.TYPE:
                self._write(events[first:place])
                self.readers.end(event)
                first = place
        self._write(events[first:])

    def _write(self, events: Sequence[Encoded]) -> None:
        written = 0
        for reader, batch in batches(events, self.readers.by_channel):
            reader.deliver(batch)
            written += len(batch.texts)
        metrics.DELIVERIES.inc(written)

    # --- every so often ---------------------------------------------------------------------------------------------

    async def _check_rights(self) -> None:
        users = {reader: user for reader in self.readers.open if (user := reader.identity.user_id) is not None}
        present = await self._note(rights.present, users.values())
        for reader, user in users.items():
            if present.get(user) != reader.identity.rights:
                reader.close(ENDED)

    async def _close_silent(self) -> None:
        since = monotonic() - settings.WEBSOCKET_SILENCE_SECONDS
        for reader in self.readers.open:
            if reader.heard_at < since:
                reader.close(SILENT)

    # --- clients that come back ------------------------------------------------------------------------------------

    async def resumable(self, since: int, epoch: str | None) -> bool:
        """Whether everything after `since` can and will be told."""
        for _ in range(CATCH_UP_TRIES):
            if since <= self.cursor and epoch in (None, "", self.epoch, *dict(self.past)):
                break
            self._woken.set()  # the client was with a hub that is a little ahead of this one
            await asyncio.sleep(BUSY_SECONDS)
        floor = self.cursor - len(self._recent)
        return log.holds(since, epoch, floor=floor, seq=self.cursor, log_epoch=self.epoch, past=self.past)

    def missed(self, since: int, identity: Identity, subscribed: Iterable[str]) -> list[Encoded]:
        """What was written after `since`, up to `cursor`, for these channels; nothing for one whose rights ended.

        Raises CursorGone where more was written than is remembered.
        """
        if since < self.cursor - len(self._recent):
            raise log.CursorGone
        if self.readers.ends.concern(identity):
            return []
        names = {name for channel in subscribed for name in channels.read_as(identity, channel)}
        return [event for event in self._recent if event.seq > since and not names.isdisjoint(event.channels)]

    # --- other processes -------------------------------------------------------------------------------------------

    async def _listen(self) -> None:
        """Hears the bell of other processes. Without the layer, the timer serves."""
        while True:
            layer = get_channel_layer()
            try:
                async with asyncio.timeout(outbox.RING_SECONDS):
                    channel = await layer.new_channel()
                    await layer.group_add(outbox.GROUP, channel)
                self._woken.set()  # what rang before we listened
                while True:
                    message = await layer.receive(channel)
                    if message["type"] == "positions":
                        self.positions.hear(message)
                    elif message.get("head", self.cursor + 1) > self.cursor:
                        self._woken.set()
            except Exception as error:  # whatever the layer raises
                logger.warning("The channel layer cannot be heard (%s); looking each second.", error or "timeout")
                with suppress(Exception):  # what the failed attempt left in the layer; it is no more than memory
                    async with asyncio.timeout(outbox.RING_SECONDS):
                        await layer.flush()
                await asyncio.sleep(TIMER_SECONDS)


def _read_on(cursor: int, numbered: log.Numbered) -> list[Event]:
    """What was numbered behind the cursor; with the event at the cursor where that had to be read."""
    if numbered.events and numbered.events[0].seq == cursor + 1:
        return numbered.events[:ROUND]
    return log.read(cursor - 1, ROUND + 1) if numbered.events or numbered.head.seq > cursor else []


def is_another(known: Encoded, events: Sequence[Event]) -> bool:
    """Whether there is another event in its place: the log is another one."""
    return bool(events) and events[0].seq == known.seq and events[0].created_at != known.created_at
