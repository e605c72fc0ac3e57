from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest
from asgiref.sync import sync_to_async as make

from luckygas.testing.site import Site, running
from orders.tests.factories import make_office, make_order, make_user
from realtime import limits
from realtime.audience import Audience
from realtime.channels import Identity
from realtime.connection import Connection
from realtime.tests.client import open_client, token_for


def join(audience: Audience, identity: Identity) -> Connection:
    connection = Connection(identity, "ws")
    audience.join(connection, [])
    return connection


def codes(connections: list[Connection]) -> list[int | None]:
    return [connection.closing.result() if connection.closing.done() else None for connection in connections]


async def test_with_one_too_many_the_oldest_is_closed(settings: Any) -> None:
    settings.WEBSOCKET_CONNECTIONS_PER_USER = 2
    audience = Audience()
    mine = [join(audience, Identity(1)) for _ in range(2)]
    other = join(audience, Identity(2))
    assert codes([*mine, other]) == [None, None, None]
    mine += [join(audience, Identity(1)) for _ in range(2)]
    assert codes([*mine, other]) == [4409, 4409, None, None, None]


async def test_who_leaves_or_is_being_closed_makes_room(settings: Any) -> None:
    settings.WEBSOCKET_CONNECTIONS_PER_USER = 2
    audience = Audience()
    stays, leaves = [join(audience, Identity(1)) for _ in range(2)]
    audience.leave(leaves)
    closes = join(audience, Identity(1))
    closes.close(4401)
    assert codes([stays, join(audience, Identity(1))]) == [None, None]


async def test_the_holders_of_one_link_are_counted_together(settings: Any) -> None:
    settings.WEBSOCKET_CONNECTIONS_PER_USER = 1
    audience = Audience()
    holders = [join(audience, Identity(tracked_order_id=7)) for _ in range(limits.PER_LINK)]
    other = join(audience, Identity(tracked_order_id=8))
    assert set(codes([*holders, other])) == {None}
    join(audience, Identity(tracked_order_id=7))
    assert codes(holders)[:2] == [4409, None]


@pytest.mark.servers
@pytest.mark.django_db(transaction=True)
async def test_a_sixth_window_closes_the_first_at_once(either_site: Site) -> None:
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
async def test_across_servers_the_oldest_is_closed_within_five_seconds(transactional_db: None) -> None:
    with running("uvicorn") as first, running("daphne") as second:
        jwt = await make(token_for)(await make(make_user)())
        async with AsyncExitStack() as stack:
            windows = [
                await stack.enter_async_context(open_client(f"{site.ws}?token={jwt}"))
                for site in (first, first, second, second, second, second)
            ]
            started = asyncio.get_running_loop().time()
            assert await windows[0].closed() == 4409
            assert asyncio.get_running_loop().time() - started < 5.5
            for window in windows[1:]:
                assert (await window.ask(type="heartbeat"))["type"] == "heartbeat"
