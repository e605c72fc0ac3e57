"""Requests and handshakes with a too large, too slow or invalid head are answered, and the connection is closed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from uvicorn.config import Config
from uvicorn.server import ServerState

from luckygas.testing.waiting import wait_for_async
from realtime import uvicorn_protocols
from realtime.uvicorn_protocols import MAX_HEAD_BYTES, FrameProtocol, HttpProtocol

HTTP = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
WEBSOCKET = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
COOKIES = b"Cookie: " + b"c" * 20_000 + b"\r\n\r\n"


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await asyncio.sleep(0.3)
        await send({"type": "websocket.close", "code": 4000})
    else:
        while (await receive())["more_body"]:
            pass
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """The port of a server that runs `application` with production's two protocols."""
    config = Config(application, ws=FrameProtocol, http=HttpProtocol, log_config=None)
    config.load()
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: HttpProtocol(config, state, app_state={}), "127.0.0.1", 0
    )
    async with server:
        yield server.sockets[0].getsockname()[1]
        await wait_for_async(lambda: not state.connections)


async def response_to(port: int, *parts: bytes, pause: float = 0.0, end: bytes = b"") -> bytes:
    """The bytes received until the connection closes, or up to `end`.

    Raises TimeoutError if the connection stays open, OSError if it is reset.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(4):
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)
        response = await (reader.readuntil(end) if end else reader.read())
    writer.close()
    await writer.wait_closed()
    return response


def status(response: bytes) -> int:
    return int(response.split(b" ", 2)[1])


REFUSED_HEADS = {
    "cookies of 20 KB": (431, WEBSOCKET + COOKIES),
    "cookies of 200 KB": (431, WEBSOCKET + COOKIES[:-4] * 10 + b"\r\n\r\n"),
    "many headers": (431, WEBSOCKET + b"".join(b"X-%d: 1\r\n" % n for n in range(200)) + b"\r\n"),
    "a long URL": (414, WEBSOCKET.replace(b"/ws ", b"/ws?a=" + b"a" * 20_000 + b" ") + b"\r\n"),
    "a POST": (405, WEBSOCKET.replace(b"GET", b"POST") + b"\r\n"),
    "a body": (400, WEBSOCKET + b"Content-Length: 5\r\n\r\nhello"),
    "no key": (400, WEBSOCKET.replace(b"Sec-WebSocket-Key", b"X-Key") + b"\r\n"),
    "a request with too much in one header": (431, HTTP + b"X: " + b"x" * MAX_HEAD_BYTES + b"\r\n\r\n"),
    "a request with too many headers": (431, HTTP + b"X: 1234567890\r\n" * 8_000 + b"\r\n"),
    "a request with an endless header": (431, HTTP + b"X: " + b"x" * 3_000_000),
}


@pytest.mark.parametrize(("expected", "head"), REFUSED_HEADS.values(), ids=REFUSED_HEADS)
async def test_invalid_or_too_large_head_is_refused_and_the_connection_closed(
    port: int, expected: int, head: bytes
) -> None:
    assert status(await response_to(port, head)) == expected


async def test_size_limit_counts_all_parts_of_a_head(port: int) -> None:
    parts = [HTTP, *([b"X: " + b"x" * 20_000 + b"\r\n"] * 4)]
    assert status(await response_to(port, *parts, pause=0.02)) == 431


async def test_head_of_usual_size_is_accepted(port: int) -> None:
    assert status(await response_to(port, HTTP + b"Connection: close\r\n" + COOKIES)) == 200
    assert status(await response_to(port, WEBSOCKET + b"Cookie: c=1\r\n\r\n", end=b"\r\n\r\n")) == 101


async def test_body_does_not_count_as_head(port: int) -> None:
    head = HTTP.replace(b"GET", b"POST") + b"Connection: close\r\nContent-Length: 200000\r\n\r\n"
    assert status(await response_to(port, head + b"x" * 200_000)) == 200


@pytest.mark.parametrize("head", [b"", b"GET /", HTTP, WEBSOCKET])
async def test_slow_head_is_refused_after_the_deadline(port: int, head: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uvicorn_protocols, "MAX_HEAD_SECONDS", 0.1)
    assert status(await response_to(port, head)) == 408


async def test_each_request_has_its_own_deadline(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uvicorn_protocols, "MAX_HEAD_SECONDS", 0.3)
    response = await response_to(port, *[HTTP + b"\r\n"] * 4, HTTP, pause=0.15)
    assert [int(part.split()[0]) for part in response.split(b"HTTP/1.1")[1:]] == [200, 200, 200, 200, 408]


async def test_open_socket_has_no_deadline(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uvicorn_protocols, "MAX_HEAD_SECONDS", 0.1)
    # The close frame that `application` sends.
    closed = b"\x88\x02" + (4000).to_bytes(2, "big")
    assert status(await response_to(port, WEBSOCKET + b"\r\n", end=closed)) == 101
