"""The ASGI application of one socket: authenticates it, joins it to the hub and passes its messages to `commands`."""

from __future__ import annotations

import asyncio
import logging
from time import monotonic
from typing import Any

from django.conf import settings
from django.utils import timezone, translation
from structlog.contextvars import bind_contextvars

from realtime import commands, frames, metrics
from realtime.auth import as_request, identify, query_parameters
from realtime.channels import NOT_YOURS, SWITCHED_OFF, Identity
from realtime.connection import (
    EXTENSION,
    INTERNAL_ERROR,
    NO_CODE,
    SERVICE_RESTART,
    TOO_BIG,
    TRY_AGAIN_LATER,
    Connection,
    SendQueue,
)
from realtime.hub import Hub
from realtime.log import CursorGone
from web.api.exceptions import Busy
from web.refusals import Refusal

logger = logging.getLogger(__name__)

# Clients send a heartbeat this many seconds apart. The connection frame contains the number.
HEARTBEAT_INTERVAL = 30
# Maximum number of seconds that authentication may take.
HANDSHAKE_SECONDS = 20.0
# Close codes from here on are for private use (RFC 6455, 7.4.2).
PRIVATE_CODES = 4000


class Disconnected(Exception):
    """The client has disconnected."""


class EventConsumer:
    """One socket of any endpoint: `ws`, `driver`, `office`, `track`.

    It is not a consumer of Channels, which would need an extra task for each socket (4 KB). Channels also closes old
    database connections before each message, on the one thread that all sockets share.
    """

    hub: Hub

    def __init__(self, endpoint: str) -> None:
        self.endpoint, self.code, self.closed = endpoint, NO_CODE, False
        self.connection: Connection | None = None
        self.tasks: list[asyncio.Task[None]] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scope, self._asgi_send = scope, send
        try:
            while (message := await receive())["type"] != "websocket.disconnect":
                await self._handle(message)
            if not self.closed:
                self.code = message.get("code") or NO_CODE
        except Disconnected:
            return
        finally:  # after a disconnect, an error or a cancellation by the server
            await self._leave()

    async def _handle(self, message: dict[str, Any]) -> None:
        try:
            await (self._connect() if message["type"] == "websocket.connect" else self._receive(message))
        except Disconnected:
            raise
        except Exception:
            if self.closed:
                raise Disconnected from None  # the client left while its message was handled
            logger.exception("A socket is closed because of an internal error.")
            if self.connection is not None:
                self.connection.close(INTERNAL_ERROR)
            else:
                await self.close(INTERNAL_ERROR)

    async def _connect(self) -> None:
        await self.send({"type": "websocket.accept"})
        translation.activate(translation.get_language_from_request(as_request(self.scope)))
        self.hub = await Hub.current()
        try:
            if not self.hub.serves:
                raise Refusal("switched_off", SWITCHED_OFF, status=TRY_AGAIN_LATER)
            identity, parameters = await self._identity(), query_parameters(self.scope)
            self.hub.readers.revocations.check(identity)
        except Refusal as refusal:
            metrics.ERRORS.labels(refusal.code).inc()
            await self.send_text(frames.error_message(refusal.code, refusal.detail))
            await self.close(refusal.status)
            return
        out = self.scope.get("extensions", {}).get(EXTENSION) or SendQueue(self.send_text)
        connection = Connection(identity, self.endpoint, out)
        # Bind this after the hub has started: otherwise the hub's tasks inherit it, and all their log lines show it.
        bind_contextvars(connection_id=str(connection.id))
        try:
            await self._replay_and_join(connection, parameters)
        except CursorGone:  # the client reads more slowly than events arrive: it reconnects and loads a snapshot
            await self.close(SERVICE_RESTART)

    async def _identity(self) -> Identity:
        """Raises Refusal, with code `busy` if authentication takes too long."""
        try:
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                return await identify(self.scope, self.endpoint)
        except TimeoutError:
            raise Refusal("busy", Busy.default_detail, status=TRY_AGAIN_LATER) from None

    async def _replay_and_join(self, connection: Connection, parameters: dict[str, str]) -> None:
        """Sends the connection frame and replays missed events, then joins the hub."""
        hub = self.hub
        wanted, refused = await commands.requested_channels(connection.identity, self.endpoint, parameters)
        since, epoch = commands.parse_cursor(parameters)
        recovered = None if since is None else await hub.can_resume(since, epoch)
        log_epoch, sent = hub.epoch, since if recovered and since is not None else hub.cursor
        await self.send_text(self._connection_frame(connection, wanted, recovered))
        while sent < hub.cursor and hub.epoch == log_epoch:
            missed, sent = hub.missed_events(sent, connection.identity, wanted), hub.cursor
            for event in missed:
                await self.send_text(event.text)
        # Nothing below awaits, so this client cannot miss an event between the replay and the join.
        if hub.epoch != log_epoch:
            connection.close(SERVICE_RESTART)
        for channel in refused:
            metrics.ERRORS.labels("forbidden").inc()
            connection.write(frames.error_message("forbidden", NOT_YOURS, channel))
        metrics.CONNECTS.inc()
        if recovered is not None:
            metrics.RECONNECTS.labels(str(recovered).lower()).inc()
        self._join(connection, wanted)

    def _join(self, connection: Connection, channels: list[str]) -> None:
        self.connection = connection
        connection.last_message_at = monotonic()  # the client's messages were not read during the replay
        self.hub.readers.join(connection, channels)
        connection.closing.add_done_callback(self._on_closing)
        if isinstance(connection.out, SendQueue):
            self.tasks.append(asyncio.create_task(connection.out.drain()))
            self.tasks[0].add_done_callback(lambda _: connection.close(INTERNAL_ERROR))
        self.hub.positions.schedule_latest(connection, channels)
        connection.schedule_expiry()

    def _connection_frame(self, connection: Connection, wanted: list[str], recovered: bool | None) -> str:
        return frames.encode({
            "type": "connection", "status": "connected", "connection_id": str(connection.id),
            "timestamp": frames.iso(timezone.now()), "role": connection.identity.role, "channels": wanted,
            "last_event_id": self.hub.cursor, "epoch": self.hub.epoch, "recovered": recovered,
            "heartbeat_interval": HEARTBEAT_INTERVAL,
            "expires_at": frames.iso_of_timestamp(connection.identity.expires_at),
        })  # fmt: skip

    async def _receive(self, message: dict[str, Any]) -> None:
        if self.connection is None or self.connection.closing.done():
            return  # refused or closing
        text, binary = message.get("text"), message.get("bytes") or b""
        if len(text.encode() if text is not None else binary) > settings.WEBSOCKET_MESSAGE_BYTES:
            self.connection.close(TOO_BIG)
        else:
            await commands.handle(self.hub, self.connection, text)

    async def _leave(self) -> None:
        self.closed = True
        if self.connection is not None:
            self.hub.readers.leave(self.connection)
            self.connection.cancel_expiry()
            metrics.CLOSES.labels(self.code if self.code in metrics.KNOWN_CODES else "other").inc()
            metrics.OPEN_SECONDS.observe((timezone.now() - self.connection.connected_at).total_seconds())
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def _on_closing(self, closing: asyncio.Future[int]) -> None:
        """Stops writing to the socket and closes it."""
        if self.connection is not None and not closing.cancelled():
            self.hub.readers.leave(self.connection)
            for task in self.tasks:
                task.cancel()
            self.tasks.append(asyncio.create_task(self.close(closing.result())))

    async def send(self, message: dict[str, Any]) -> None:
        try:
            await self._asgi_send(message)
        except OSError:  # the client has disconnected (ASGI, “Send after the connection was closed”)
            raise Disconnected from None

    async def send_text(self, text: str) -> None:
        await self.send({"type": "websocket.send", "text": text})

    async def close(self, code: int) -> None:
        if not self.closed:
            self.closed, self.code = True, code
            try:
                await self.send({"type": "websocket.close", "code": code})
            except Exception:
                if code >= PRIVATE_CODES:
                    raise
                # Daphne sends no standard codes but 1000: send 4009 instead of 1009, and 4012 instead of 1012.
                await self.send({"type": "websocket.close", "code": PRIVATE_CODES + code - 1000})
