from __future__ import annotations

import asyncio
import json
import struct
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from asgiref.sync import sync_to_async as make

from luckygas.testing.servers import running
from luckygas.testing.site import Site
from orders.tests.factories import make_office, make_order
from realtime import connection as limits
from realtime.channels import Identity
from realtime.connection import Connection, RateLimit
from realtime.readers import Readers
from realtime.tests.client import Client, open_client, token_for, unread_queue

MAX_BYTES = 64 * 1024


def join(readers: Readers, identity: Identity) -> Connection:
    connection = Connection(identity, "ws", unread_queue())
    readers.join(connection, [])
    return connection


def close_codes(connections: list[Connection]) -> list[int | None]:
    return [connection.closing.result() if connection.closing.done() else None for connection in connections]


async def test_connection_above_the_limit_closes_the_oldest(settings: Any) -> None:
    settings.WEBSOCKET_CONNECTIONS_PER_USER = 2
    readers = Readers()
    mine = [join(readers, Identity(1)) for _ in range(2)]
    other = join(readers, Identity(2))
    assert close_codes([*mine, other]) == [None, None, None]
    mine += [join(readers, Identity(1)) for _ in range(2)]
    assert close_codes([*mine, other]) == [4409, 4409, None, None, None]


async def test_closing_connections_do_not_count_for_the_connection_limit(settings: Any) -> None:
    settings.WEBSOCKET_CONNECTIONS_PER_USER = 2
    readers = Readers()
    stays, leaves = [join(readers, Identity(1)) for _ in range(2)]
    readers.leave(leaves)
    closes = join(readers, Identity(1))
    closes.close(4401)
    assert close_codes([stays, join(readers, Identity(1))]) == [None, None]


async def test_sockets_of_one_link_share_a_connection_limit(settings: Any) -> None:
    settings.WEBSOCKET_CONNECTIONS_PER_USER = 1
    readers = Readers()
    holders = [join(readers, Identity(tracked_order_id=7)) for _ in range(limits.MAX_LINK_CONNECTIONS)]
    other = join(readers, Identity(tracked_order_id=8))
    assert set(close_codes([*holders, other])) == {None}
    join(readers, Identity(tracked_order_id=7))
    assert close_codes(holders)[:2] == [4409, None]


@pytest.mark.servers
@pytest.mark.django_db(transaction=True)
async def test_sixth_socket_closes_the_first_at_once(either_site: Site) -> None:
    office, order = await make(make_office)(), await make(make_order)()
    url = f"{either_site.ws}/office?token={await make(token_for)(office)}"
    async with AsyncExitStack() as stack:
        windows = [await stack.enter_async_context(open_client(url)) for _ in range(6)]
        assert await windows[0].closed() == 4409
        await make(order.transition_to)("confirmed")
        for window in windows[1:]:
            assert (await window.orders(1))[0]["data"]["status"] == "confirmed"


@pytest.mark.servers
@pytest.mark.django_db(transaction=True)
async def test_connection_limit_across_servers_is_applied_within_five_seconds(transactional_db: None) -> None:
    with running(Site("uvicorn")) as first, running(Site("daphne")) as second:
        jwt = await make(token_for)(await make(make_office)())
        async with AsyncExitStack() as stack:
            windows = [
                await stack.enter_async_context(open_client(f"{site.ws}?token={jwt}"))
                for site in (first, first, second, second, second, second)
            ]
            started = asyncio.get_running_loop().time()
            assert await windows[0].closed() == 4409
            assert asyncio.get_running_loop().time() - started < 5.5
            for window in windows[1:]:
                assert (await window.request(type="heartbeat"))["type"] == "heartbeat"


def count_allowed(limit: RateLimit, times: int) -> int:
    return sum(limit.take() for _ in range(times))


def test_rate_limit_allows_a_burst_then_a_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(limits, "monotonic", lambda: now[0])
    limit = RateLimit(per_second=20, burst=40)
    assert count_allowed(limit, 100) == 40
    now[0] += 0.5
    assert count_allowed(limit, 100) == 10
    now[0] += 3600
    assert count_allowed(limit, 100) == 40


def test_refused_uses_do_not_count_for_the_rate_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(limits, "monotonic", lambda: now[0])
    limit = RateLimit(per_second=1, burst=1)
    count_allowed(limit, 1000)
    now[0] += 1
    assert count_allowed(limit, 1000) == 1


@pytest.fixture(params=["daphne", "uvicorn"])
def impatient_site(request: pytest.FixtureRequest, transactional_db: None) -> Iterator[Site]:
    with running(Site(request.param, WEBSOCKET_SILENCE_SECONDS="1.5")) as site:
        yield site


async def address(site: Site) -> str:
    return f"{site.ws}?token={await make(token_for)(await make(make_office)())}"


async def flood(client: Client, times: int) -> list[dict[str, Any]]:
    for number in range(times):
        await client.send(type="subscribe", channel="system", ref=str(number))
    return await client.events(times)


@pytest.mark.servers
@pytest.mark.django_db(transaction=True)
async def test_messages_beyond_the_burst_are_refused_then_close_the_socket(either_site: Site) -> None:
    url = await address(either_site)
    async with open_client(url) as client, open_client(url) as other:
        answers = await flood(client, 80)
        kinds = Counter(answer.get("code", answer["type"]) for answer in answers)
        assert set(kinds) == {"subscribed", "rate_limited"}
        assert 40 <= kinds["subscribed"] < 60
        refused = [answer["ref"] for answer in answers if answer["type"] == "error"]
        assert refused == sorted(set(refused), key=int)
        await asyncio.sleep(0.5)
        assert (await client.request(type="heartbeat"))["type"] == "heartbeat"
        for _ in range(300):
            await client.send(type="heartbeat")
        assert await client.closed() == limits.TOO_FAST
        assert (await other.request(type="heartbeat"))["type"] == "heartbeat"
    async with open_client(url) as again:
        assert again.welcome["status"] == "connected"


@pytest.mark.servers
@pytest.mark.django_db(transaction=True)
async def test_only_silent_clients_are_closed(impatient_site: Site) -> None:
    url = await address(impatient_site)
    async with open_client(url) as silent, open_client(url) as speaking:
        for _ in range(4):
            await asyncio.sleep(0.5)
            assert (await speaking.request(type="nonsense"))["code"] == "unknown_type"
        assert await silent.closed() == limits.SILENT
        assert (await speaking.request(type="heartbeat"))["type"] == "heartbeat"


def message_of(size: int) -> str:
    """A message that is `size` bytes long."""
    empty = json.dumps({"type": "x", "ref": "r", "pad": ""})
    return json.dumps({"type": "x", "ref": "r", "pad": "p" * (size - len(empty))})


@pytest.mark.servers
@pytest.mark.django_db(transaction=True)
async def test_message_of_64_kib_is_read_and_a_longer_one_closes_with_1009(either_site: Site) -> None:
    url = await address(either_site)
    text = message_of(MAX_BYTES)
    async with open_client(url) as client:
        for message in (text, [text[:100], text[100:]]):
            await client.socket.send(message)
            answer = await client.receive()
            assert (answer["code"], answer["ref"]) == ("unknown_type", "r")
    longer: list[Any] = [text + " ", (text + " ").encode(), [text, " "], "瓦" * (MAX_BYTES // 3 + 1)]
    for message in longer:
        async with open_client(url) as client:
            await client.socket.send(message)
            assert await client.closed() == (1009 if either_site.server == "uvicorn" else 4009)
    if either_site.server == "uvicorn":
        async with open_client(url) as client:
            client.socket.transport.write(frame_head(100 * MAX_BYTES))
            assert await client.closed() == 1009


def frame_head(size: int) -> bytes:
    """The head of a masked text frame (RFC 6455, 5.2) that announces `size` bytes."""
    return struct.pack("!BBQ", 0x81, 0x80 | 127, size) + b"mask"


@pytest.mark.servers
async def test_guessing_links_is_throttled(transactional_db: None) -> None:
    order = await make(make_order)()
    with running(Site("daphne", THROTTLE_RATES="track_socket=1/h")) as site:
        for path, code in (("nonsense", "link_not_valid"), (order.tracking_token, "rate_limited")):
            async with open_client(f"{site.ws}/track/{path}") as client:
                assert client.welcome["code"] == code
                assert await client.closed() == (4429 if code == "rate_limited" else 4401)
