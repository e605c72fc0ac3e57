"""uvicorn's WebSocket protocol with one more way out: ready-made frames, written to the transport as they are.

`uvicorn --ws realtime.uvicorn_protocol:FrameProtocol`. The hub makes a frame once and hands the same bytes to every
socket; through ASGI's `send` each socket would pay for a message, a frame and an await of its own.
"""

from __future__ import annotations

from typing import Any, cast

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from realtime.connection import EXTENSION
from realtime.frames import frame, restart

# A client that does not read gets so long to take what waits and the code that closes it.
ABORT_SECONDS = 5.0


class FrameProtocol(WebSocketsSansIOProtocol):
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

    def shutdown(self) -> None:
        """Says when to come back before saying goodbye (1012), so that not all clients return in one instant."""
        self.write_frames(frame(restart()))
        super().shutdown()
