"""Closes a connection so that the client can still read why."""

from __future__ import annotations

import asyncio
from http import HTTPStatus

# A client gets so long to read why it was refused, and to close.
ABORT_SECONDS = 5.0


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
