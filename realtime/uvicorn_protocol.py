"""uvicorn's WebSocket protocol with one more way out: ready-made frames, written to the transport as they are.

`uvicorn --ws realtime.uvicorn_protocol:FrameProtocol`. The hub makes a frame once and hands the same bytes to every
socket; through ASGI's `send` each socket would pay for a message, a frame and an await of its own.
"""

from __future__ import annotations

from typing import Any, cast

from django.conf import settings
from uvicorn.config import Config
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from realtime.closing import ABORT_SECONDS, refuse, say_goodbye
from realtime.connection import EXTENSION
from realtime.frames import frame, restart


class FrameProtocol(WebSocketsSansIOProtocol):
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

    def write_frames(self, frames: bytes) -> None:
        """Writes whole frames. They never interleave with the server's own, which writes whole frames too."""
        if self.handshake_complete and not self.close_sent and not self.transport.is_closing():
            self.transport.write(frames)

    def bytes_waiting(self) -> int:
        """What the kernel has not taken because the client does not read; 0 while it keeps up."""
        return 0 if self.writable.is_set() else self.transport.get_write_buffer_size()

    def drop(self, code: int) -> None:
        """Closes a client that does not read: ASGI's `send` would wait for it to read first."""
        if not self.close_sent and not self.transport.is_closing():
            self.conn.send_close(code)
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.close_sent = True
            self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": ""})
            self.close_timer = self.loop.call_later(ABORT_SECONDS, self.transport.abort)

    def handle_parser_exception(self) -> None:
        """Says what was wrong (1002, 1007, 1009), and closes when the client has: closing at once, on data not yet
        read, would reset the line, and the client would not learn why."""
        if self.close_sent or self.conn.close_sent is None:
            return
        code, reason = self.conn.close_sent.code, self.conn.close_sent.reason
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.close_timer = self.loop.call_later(ABORT_SECONDS, self.transport.abort)

    def shutdown(self) -> None:
        """Says when to come back before saying goodbye (1012), so that not all clients return in one instant."""
        self.write_frames(frame(restart()))
        super().shutdown()
