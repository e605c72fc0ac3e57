"""uvicorn's two protocols, with what its options do not offer. No other module touches uvicorn's insides.

    uvicorn --ws realtime.uvicorn_protocols:FrameProtocol --http realtime.uvicorn_protocols:HttpProtocol

Without them the site works too, as on daphne: each frame goes through ASGI's `send`. They touch the attributes of
`WebSocketsSansIOProtocol` and `HttpToolsProtocol` that are named below, and hold (docs/realtime.md, “Limits”):

- A round of the hub is the same bytes for every socket, written to the transport at once. A delivery costs 2.3 µs of
  CPU in a burst instead of 17.4, 60 instead of 75 one at a time (`make bench-quick`, medians of three).
- A head that is too large (431) or too slow (408) is answered and its line closed, on both protocols.
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
from realtime.frames import restart

# Of the request line and all headers. Browsers send a few KB; nginx takes 32 KB at most.
MOST_BYTES = 64 * 1024
# From the connection, or the first byte of the next request on it, to the end of the head.
LONGEST_SECONDS = 20.0
# A client gets so long to read why it was refused, and to close.
ABORT_SECONDS = 5.0


class HttpProtocol(HttpToolsProtocol):
    """Limits how large the head of a request may be, and how slow. A WebSocket begins as such a request."""

    _deadline: asyncio.TimerHandle | None = None
    # Bytes that came since the head began.
    _received = 0
    _is_refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return  # read all the same: a line closed on unread data is reset, and the client learns nothing
        super().data_received(data)
        self._received += len(data)
        if self._deadline is not None and self._received > MOST_BYTES:
            self._refuse(431)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._await_head()

    def on_headers_complete(self) -> None:
        self._end_deadline()
        if len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > MOST_BYTES:
            self._refuse(431)
            raise ValueError("the head of the request is too large")  # so that it is parsed no further
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        if not self._is_refused:
            self._end_deadline()
            super().send_400_response(msg)

    def _await_head(self) -> None:
        if self._deadline is None:
            self._received = 0
            self._deadline = self.loop.call_later(LONGEST_SECONDS, self._refuse, 408)

    def _end_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, status: int) -> None:
        self._is_refused = True
        self._end_deadline()
        refuse(self.transport, status)


class FrameProtocol(WebSocketsSansIOProtocol):
    """Offers the hub a way out for ready-made frames (`connection.Out`) among the scope's extensions."""

    def __init__(self, config: Config, *args: Any, **options: Any) -> None:
        # A message is refused by its head, before it is read. Compression would cost each socket 300 KB.
        config.ws_max_size, config.ws_per_message_deflate = settings.WEBSOCKET_MESSAGE_BYTES, False
        super().__init__(config, *args, **options)

    def data_received(self, data: bytes) -> None:
        """uvicorn writes nothing where the handshake is no request, or has too much in it: websockets answers that."""
        if self._is_refused():
            return
        super().data_received(data)
        if self._is_refused():
            self.handshake_complete = self.close_sent = True
            if answer := b"".join(self.conn.data_to_send()):
                say_goodbye(self.transport, answer)
            else:
                refuse(self.transport, 400)

    def _is_refused(self) -> bool:
        return self.conn.handshake_exc is not None

    async def run_asgi(self) -> None:
        cast("dict[str, Any]", self.scope["extensions"])[EXTENSION] = self
        await super().run_asgi()

    async def send(self, message: Any) -> None:
        # A client that goes before it is accepted: uvicorn would take the greeting for a message out of order.
        if self.transport.is_closing() and not self.handshake_complete:
            raise ClientDisconnected
        await super().send(message)

    def write(self, batch: Batch) -> None:
        """Whole frames, which never interleave with the server's own: it writes whole ones too."""
        if self.handshake_complete and not self.close_sent and not self.transport.is_closing():
            self.transport.write(batch.frames)

    def bytes_waiting(self) -> int:
        return 0 if self.writable.is_set() else self.transport.get_write_buffer_size()

    def drop(self, code: int) -> None:
        """ASGI's `send` would wait for the client to read first."""
        if not self.close_sent and not self.transport.is_closing():
            self.conn.send_close(code)
            self._end(code)

    def handle_parser_exception(self) -> None:
        """Says what was wrong (1002, 1007, 1009)."""
        if not self.close_sent and self.conn.close_sent is not None:
            self._end(self.conn.close_sent.code, self.conn.close_sent.reason)
            if self.transport.can_write_eof():
                self.transport.write_eof()  # the client's answer is not read any more

    def _end(self, code: int, reason: str = "") -> None:
        """Sends the frame that closes, and gives the client time to read it."""
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.close_timer = self.loop.call_later(ABORT_SECONDS, self.transport.abort)

    def shutdown(self) -> None:
        """Says when to come back before saying goodbye (1012), so that not all clients return in one instant."""
        self.write(Batch([restart()]))
        super().shutdown()


def refuse(transport: asyncio.Transport, status: int) -> None:
    phrase = HTTPStatus(status).phrase
    text = f"{phrase}.\n"
    head = f"HTTP/1.1 {status} {phrase}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {len(text)}\r\n"
    say_goodbye(transport, f"{head}connection: close\r\n\r\n{text}".encode())


def say_goodbye(transport: asyncio.Transport, last_words: bytes) -> None:
    """Writes, and closes when the client has: closing at once, on data not yet read, would reset the line, and the
    client would not learn why.
    """
    transport.write(last_words)
    if transport.can_write_eof():
        transport.write_eof()
    asyncio.get_running_loop().call_later(ABORT_SECONDS, transport.abort)
