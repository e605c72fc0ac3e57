"""Connections that end in different ways leave nothing in the server's memory."""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from itertools import cycle, islice

import pytest
import requests
from asgiref.sync import sync_to_async as make
from websockets.exceptions import InvalidMessage

from luckygas.testing.servers import running
from luckygas.testing.site import Site
from orders.tests.factories import make_office
from realtime.models import WebSocketConnection
from realtime.tests.client import open_client, token_for

pytestmark = [pytest.mark.long, pytest.mark.servers, pytest.mark.django_db(transaction=True)]
# Connections per round, and how many of them are open at once. Three rounds make a thousand connections per server.
ROUND_CONNECTIONS, AT_ONCE = 335, 10
# Maximum number of Python objects that the rounds may add: caches fill. A leak adds at least two per connection.
MAX_GROWTH = 2_000
HANDSHAKE = (
    "GET /api/v1/websocket/ws/office?token={} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@pytest.fixture(params=["uvicorn", "daphne"])
def inspected(request: pytest.FixtureRequest, transactional_db: None) -> Iterator[Site]:
    with running(Site(request.param, application="luckygas.testing.inspected:application")) as site:
        yield site


async def close_normally(site: Site, token: str) -> None:
    async with open_client(f"{site.ws}/office?token={token}") as client:
        assert client.welcome["type"] == "connection"


async def abort(site: Site, token: str) -> None:
    async with open_client(f"{site.ws}/office?token={token}") as client:
        client.socket.transport.abort()


async def send_wrong_token(site: Site, token: str) -> None:
    # On a busy machine Daphne sometimes drops the connection without an answer. The test allows that.
    with suppress(InvalidMessage):
        async with open_client(f"{site.ws}/office?token=nonsense") as client:
            assert client.welcome["code"] == "token_not_valid"


async def reset_in_the_handshake(site: Site, token: str) -> None:
    await send_and_reset(site, HANDSHAKE.format(token)[:-2])


async def reset_before_the_connection_frame(site: Site, token: str) -> None:
    await send_and_reset(site, HANDSHAKE.format(token))


async def send_and_reset(site: Site, text: str) -> None:
    """Sends data and resets the connection without reading."""
    _reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.write(text.encode())
    await writer.drain()
    writer.close()


WAYS_TO_END: list[Callable[[Site, str], Awaitable[None]]] = [
    close_normally, abort, send_wrong_token, reset_in_the_handshake, reset_before_the_connection_frame,
]  # fmt: skip


async def open_and_end_connections(site: Site, tokens: list[str]) -> None:
    jobs = zip(islice(cycle(WAYS_TO_END), ROUND_CONNECTIONS), cycle(tokens))

    async def work() -> None:
        for way, token in jobs:
            await way(site, token)

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))


async def count_resources(site: Site) -> dict[str, int]:
    response = await asyncio.to_thread(requests.get, f"{site.url}/inspect", headers={"Connection": "close"}, timeout=5)
    found: dict[str, int] = response.json()
    return found


async def wait_until_released(site: Site, before: dict[str, int]) -> dict[str, int]:
    """Returns the counts once all closed connections are released, or the remaining ones after 30 s.

    Daphne and autobahn hold a closed connection in their timers for some seconds.
    """
    allowed = {**before, "objects": before["objects"] + MAX_GROWTH}
    deadline = time.monotonic() + 30
    while True:
        left = await count_resources(site)
        if all(left[name] <= limit for name, limit in allowed.items()) or time.monotonic() > deadline:
            return left
        await asyncio.sleep(0.2)


@pytest.mark.timeout(240)
async def test_thousand_closed_connections_leak_nothing(inspected: Site) -> None:
    tokens = [await make(token_for)(await make(make_office)()) for _ in range(AT_ONCE)]
    await close_normally(inspected, tokens[0])
    before = await count_resources(inspected)
    for _ in range(3):
        await open_and_end_connections(inspected, tokens)
        async with asyncio.timeout(10):
            while await make(WebSocketConnection.objects.exists)():
                await asyncio.sleep(0.2)
        left = await wait_until_released(inspected, before)
        print(before, left, sep="\n")
        assert (left["readers"], left["channels"]) == (0, 0)
        assert left["tasks"] <= before["tasks"]
        assert left["files"] <= before["files"]
        assert left["objects"] - before["objects"] <= MAX_GROWTH
    assert "Traceback" not in inspected.log.read_text()
