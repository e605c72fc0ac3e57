"""Subclasses of uvicorn's two protocols, for what its options do not offer. No other module uses uvicorn's internals.

    uvicorn --ws realtime.uvicorn_protocols:FrameProtocol --http realtime.uvicorn_protocols:HttpProtocol

The site works without them too, for example on daphne: then each frame goes through ASGI's `send`. The classes use
internal attributes of `WebSocketsSansIOProtocol` and `HttpToolsProtocol`. They provide (docs/realtime.md, “Limits”):

- The events of a round are encoded once and written straight to the transports. A delivery costs 2.3 µs of CPU in a
  burst instead of 17.4, and 60 instead of 75 one at a time (`make bench-quick`, medians of three).
- A request head that is too large (431) or too slow (408) is answered and its connection closed, on both protocols.
- A client can read why it is closed: 1009 for a long message, 1012 with `retry_in` when the server restarts.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any, cast

from django.conf import settings
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from realtime.connection import EXTENSION, Batch
from realtime.frames import restart_message

# Maximum number of bytes of request line and headers. Browsers send a few KB; nginx accepts 32 KB.
MAX_HEAD_BYTES = 64 * 1024
# Maximum time for a request head, from the connection or, for later requests, from their first byte.
MAX_HEAD_SECONDS = 20.0
# How long a refused client has to read the reason and disconnect.
ABORT_SECONDS = 5.0


class HttpProtocol(HttpToolsProtocol):
    """Limits the size and the time of a request head. A WebSocket handshake is such a request too."""

    _deadline: asyncio.TimerHandle | None = None
    # Bytes received since the head began.
    _received = 0
    _is_refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._start_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return  # discard it: closing with unread data would reset the connection before the client reads why
        super().data_received(data)
        self._received += len(data)
        if self._deadline is not None and self._received > MAX_HEAD_BYTES:
            self._refuse(431)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._start_deadline()

    def on_headers_complete(self) -> None:
        self._cancel_deadline()
        if len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > MAX_HEAD_BYTES:
            self._refuse(431)
            raise ValueError("the head of the request is too large")  # so that httptools stops parsing
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        if not self._is_refused:
            self._cancel_deadline()
            super().send_400_response(msg)

    def _start_deadline(self) -> None:
        if self._deadline is None:
            self._received = 0
            self._deadline = self.loop.call_later(MAX_HEAD_SECONDS, self._refuse, 408)

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, status: int) -> None:
        self._is_refused = True
        self._cancel_deadline()
        refuse(self.transport, status)


class FrameProtocol(WebSocketsSansIOProtocol):
    """The `FrameWriter` of a connection (`realtime.connection`). Provides itself in the scope's extensions."""

    def __init__(self, config: Config, *args: Any, **options: Any) -> None:
        # websockets refuses a large message after its frame header. Compression would cost 300 KB per connection.
        config.ws_max_size, config.ws_per_message_deflate = settings.WEBSOCKET_MESSAGE_BYTES, False
        super().__init__(config, *args, **options)

    def data_received(self, data: bytes) -> None:
        """Also answers an invalid or too large handshake, for which uvicorn writes nothing."""
        if self._is_refused():
            return
        super().data_received(data)
        if self._is_refused():
            self.handshake_complete = self.close_sent = True
            if answer := b"".join(self.conn.data_to_send()):
                answer_and_close(self.transport, answer)
            else:
                refuse(self.transport, 400)

    def _is_refused(self) -> bool:
        return self.conn.handshake_exc is not None

    async def run_asgi(self) -> None:
        cast("dict[str, Any]", self.scope["extensions"])[EXTENSION] = self
        await super().run_asgi()

    async def send(self, message: Any) -> None:
        # The client left before it was accepted. uvicorn would report the first message as out of order.
        if self.transport.is_closing() and not self.handshake_complete:
            raise ClientDisconnected
        await super().send(message)

    def write(self, batch: Batch) -> None:
        """Writes whole frames. uvicorn also writes whole frames, so the two cannot interleave."""
        if self.handshake_complete and not self.close_sent and not self.transport.is_closing():
            self.transport.write(batch.frames)

    def bytes_waiting(self) -> int:
        return 0 if self.writable.is_set() else self.transport.get_write_buffer_size()

    def drop(self, code: int) -> None:
        """Closes the connection without ASGI's `send`, which would wait until the client reads."""
        if not self.close_sent and not self.transport.is_closing():
            self.conn.send_close(code)
            self._end(code)

    def handle_parser_exception(self) -> None:
        """Sends the close code of a protocol error (1002, 1007, 1009)."""
        if not self.close_sent and self.conn.close_sent is not None:
            self._end(self.conn.close_sent.code, self.conn.close_sent.reason)
            if self.transport.can_write_eof():
                self.transport.write_eof()  # the client's answer is not read after an error

    def _end(self, code: int, reason: str = "") -> None:
        """Sends the close frame and gives the client ABORT_SECONDS to read it."""
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.close_timer = self.loop.call_later(ABORT_SECONDS, self.transport.abort)

    def shutdown(self) -> None:
        """Sends the client a random wait before it reconnects, so that not all do at once, and closes with 1012."""
        self.write(Batch([restart_message()]))
        super().shutdown()


def refuse(transport: asyncio.Transport, status: int) -> None:
    phrase = HTTPStatus(status).phrase
    text = f"{phrase}.\n"
    head = f"HTTP/1.1 {status} {phrase}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {len(text)}\r\n"
    answer_and_close(transport, f"{head}connection: close\r\n\r\n{text}".encode())


def answer_and_close(transport: asyncio.Transport, answer: bytes) -> None:
    """Writes `answer`. Closes when the client has disconnected, or after ABORT_SECONDS.

    Closing at once, with unread data, would reset the connection, and the client would miss the answer.
    """
    transport.write(answer)
    if transport.can_write_eof():
        transport.write_eof()
    asyncio.get_running_loop().call_later(ABORT_SECONDS, transport.abort)
