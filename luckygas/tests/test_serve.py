"""`make serve` as a process: its workers, and what its clients see when one dies and when all stop."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async as make
from websockets.exceptions import ConnectionClosed

from luckygas.testing.servers import Server, running
from luckygas.testing.site import environment
from luckygas.testing.waiting import PATIENCE_SECONDS
from orders.states import Status
from orders.tests.factories import make_office, make_order
from realtime.tests.client import Client, open_client, token_for

pytestmark = [pytest.mark.long, pytest.mark.servers, pytest.mark.django_db(transaction=True)]
SOCKETS = 12


class Served(Server):
    """On the run's PostgreSQL and Redis."""

    def command(self) -> list[str]:
        where = [str(self.directory / "data"), "--address", f"127.0.0.1:{self.port}", "--workers", "2"]
        return [sys.executable, "-m", "luckygas.testing.serve", *where]

    def environment(self) -> dict[str, str]:
        return environment()

    @property
    def workers(self) -> set[int]:
        """The children of uvicorn that serve; its resource tracker is none."""
        assert self.process is not None
        found = {grandchild for child in children(self.process.pid) for grandchild in children(child)}
        return {pid for pid in found if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()}


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


@pytest.fixture
def served(transactional_db: None) -> Iterator[Served]:
    with running(Served()) as server:
        yield server


@asynccontextmanager
async def sockets(served: Served, count: int) -> AsyncIterator[list[Client]]:
    """Each of another account: one may not have so many."""
    url = f"ws://127.0.0.1:{served.port}/api/v1/websocket/ws/office?token="
    tokens = [await make(token_for)(await make(make_office)()) for _ in range(count)]
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(open_client(url + jwt)) for jwt in tokens]


async def until_workers(served: Served, count: int, other_than: int = 0) -> set[int]:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(present := served.workers - {other_than}) < count:
            await asyncio.sleep(0.05)
    return present


async def last_words(client: Client) -> tuple[list[dict[str, Any]], int | None]:
    said = []
    try:
        while True:
            said.append(json.loads(await client.socket.recv()))
    except ConnectionClosed:
        return said, client.socket.close_code


async def test_workers_share_a_port_return_when_killed_and_say_goodbye(served: Served) -> None:
    before = await until_workers(served, 2)
    victim = min(before)
    async with sockets(served, 4):
        os.kill(victim, signal.SIGKILL)
        after = await until_workers(served, 2, other_than=victim)
        assert len(after - before) == 1
    order = await make(make_order)()
    async with sockets(served, SOCKETS) as clients:
        await make(order.transition_to)(Status.CONFIRMED)
        for client in clients:
            while (await client.orders(1))[0]["data"]["status"] != "confirmed":
                pass
        served.send(signal.SIGTERM)
        ends = await asyncio.gather(*map(last_words, clients))
    assert [code for _, code in ends] == [1012] * SOCKETS
    assert all(said[-1]["type"] == "restart" for said, _ in ends)
    assert served.process is not None
    assert await asyncio.to_thread(served.process.wait, PATIENCE_SECONDS) == 0
    assert not any(map(is_alive, after))
