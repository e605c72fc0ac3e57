"""uvicorn's HTTP protocol with two limits it does not have: how large the head of a request may be, and how slow.

`uvicorn --http realtime.uvicorn_http:HttpProtocol`. A WebSocket begins as such a request.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from realtime.closing import refuse

# Of the request line and all headers. Browsers send a few KB; nginx takes 32 KB at most.
MOST_BYTES = 64 * 1024
# From the connection, or the first byte of the next request on it, to the end of the head.
LONGEST_SECONDS = 20.0


class HttpProtocol(HttpToolsProtocol):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._deadline: asyncio.TimerHandle | None = None
        # Bytes of a head that is not complete yet; None: none is awaited.
        self._head: int | None = None
        self._is_refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._have_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return  # read all the same: a line closed on unread data is reset, and the client learns nothing
        super().data_received(data)
        if self._head is not None:
            self._head += len(data)
            self._check(self._head)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._await_head()

    def on_headers_complete(self) -> None:
        self._have_head()
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        # What parses gets no further than this.
        if not self._check(size):
            raise ValueError("the head of the request is too large")
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        if not self._is_refused:
            self._have_head()
            super().send_400_response(msg)

    def _await_head(self) -> None:
        if self._head is None:
            self._head = 0
            self._deadline = self.loop.call_later(LONGEST_SECONDS, self._refuse, 408)

    def _have_head(self) -> None:
        self._head = None
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _check(self, size: int) -> bool:
        if size > MOST_BYTES and not self._is_refused:
            self._refuse(431)
        return not self._is_refused

    def _refuse(self, status: int) -> None:
        self._is_refused = True
        self._have_head()
        refuse(self.transport, status)
