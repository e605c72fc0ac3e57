"""`make serve` and `deploy/serve.py` as processes, and requests to the ASGI application."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async as make
from channels.testing import ApplicationCommunicator
from websockets.exceptions import ConnectionClosed

from luckygas.asgi import application
from luckygas.testing.deployed import AppServer
from luckygas.testing.servers import Server, running
from luckygas.testing.site import environment
from luckygas.testing.waiting import PATIENCE_SECONDS, wait_for
from orders.states import OrderStatus
from orders.tests.factories import make_office, make_order
from realtime.tests.client import Client, open_client, token_for

SOCKETS = 12


class ServedSite(Server):
    """`make serve` on the test run's PostgreSQL and Redis."""

    def command(self) -> list[str]:
        where = [str(self.directory / "data"), "--address", f"127.0.0.1:{self.port}", "--workers", "2"]
        return [sys.executable, "-m", "luckygas.testing.serve", *where]

    def environment(self) -> dict[str, str]:
        return environment()

    @property
    def workers(self) -> set[int]:
        """The process ids of uvicorn's workers, without its resource tracker."""
        assert self.process is not None
        found = {grandchild for child in children(self.process.pid) for grandchild in children(child)}
        return {pid for pid in found if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()}


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


@pytest.fixture
def served_site(transactional_db: None) -> Iterator[ServedSite]:
    with running(ServedSite()) as server:
        yield server


@asynccontextmanager
async def sockets(served_site: ServedSite, count: int) -> AsyncIterator[list[Client]]:
    """Opens office sockets, each with its own account, because the number per user is limited."""
    url = f"ws://127.0.0.1:{served_site.port}/api/v1/websocket/ws/office?token="
    tokens = [await make(token_for)(await make(make_office)()) for _ in range(count)]
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(open_client(url + jwt)) for jwt in tokens]


async def wait_for_workers(served_site: ServedSite, count: int, other_than: int = 0) -> set[int]:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(present := served_site.workers - {other_than}) < count:
            await asyncio.sleep(0.05)
    return present


async def read_until_closed(client: Client) -> tuple[list[dict[str, Any]], int | None]:
    """Returns the remaining messages of a socket and its close code."""
    frames = []
    try:
        while True:
            frames.append(json.loads(await client.socket.recv()))
    except ConnectionClosed:
        return frames, client.socket.close_code


@pytest.mark.long
@pytest.mark.servers
@pytest.mark.django_db(transaction=True)
async def test_killed_worker_is_replaced_and_stop_asks_clients_to_reconnect(served_site: ServedSite) -> None:
    before = await wait_for_workers(served_site, 2)
    victim = min(before)
    async with sockets(served_site, 4):
        os.kill(victim, signal.SIGKILL)
        after = await wait_for_workers(served_site, 2, other_than=victim)
        assert len(after - before) == 1
    order = await make(make_order)()
    async with sockets(served_site, SOCKETS) as clients:
        await make(order.transition_to)(OrderStatus.CONFIRMED)
        for client in clients:
            while (await client.orders(1))[0]["data"]["status"] != "confirmed":
                pass
        served_site.send(signal.SIGTERM)
        ends = await asyncio.gather(*map(read_until_closed, clients))
    assert [code for _, code in ends] == [1012] * SOCKETS
    assert all(frames[-1]["type"] == "restart" for frames, _ in ends)
    assert served_site.process is not None
    assert await asyncio.to_thread(served_site.process.wait, PATIENCE_SECONDS) == 0
    assert not any(map(is_alive, after))


# `deploy/serve.py`: nginx can reach an app server as long as its Unix socket exists.


WAIT_SECONDS = 20


@contextmanager
def running_app_server(directory: Path, **extra: str) -> Iterator[AppServer]:
    server = AppServer(1, directory, **extra)
    try:
        server.launch()
        yield server
    finally:
        print(server.log.read_text(errors="replace"))
        server.stop()


def wait_for_log(server: AppServer, text: str) -> None:
    wait_for(lambda: text in server.log.read_text(), describe=server.log.read_text)


@pytest.mark.servers
@pytest.mark.django_db(transaction=True)
def test_server_that_is_not_ready_has_no_unix_socket(tmp_path: Path) -> None:
    with running_app_server(tmp_path, DATABASE_URL="postgres://nobody@127.0.0.1:1/none") as server:
        wait_for_log(server, "/health/ready")
        assert not (tmp_path / "1.sock").exists()
        assert server.next_notification() == b""
        assert server.end() == 0


@pytest.mark.servers
@pytest.mark.django_db(transaction=True)
def test_ready_server_has_a_unix_socket_until_sigterm(tmp_path: Path) -> None:
    (tmp_path / "1.sock").touch()  # left by a killed server
    (tmp_path / "hosts").write_text("gas.example.tw,www.gas.example.tw\n")
    with running_app_server(tmp_path, ALLOWED_HOSTS_FILE=str(tmp_path / "hosts")) as server:
        server.wait()
        assert (tmp_path / "1.sock").is_socket()
        assert server.process is not None
        server.process.send_signal(signal.SIGTERM)
        while (tmp_path / "1.sock").exists():
            time.sleep(0.01)
        # The process still runs, so that it can answer requests that nginx has already sent.
        assert server.process.poll() is None
        assert server.process.wait(WAIT_SECONDS) == 0


@pytest.mark.servers
@pytest.mark.django_db(transaction=True)
@pytest.mark.long
def test_server_ends_when_uvicorn_dies(tmp_path: Path) -> None:
    with running_app_server(tmp_path) as server:
        server.wait()
        assert server.process is not None
        (uvicorn,) = children(server.process.pid)
        os.kill(uvicorn, signal.SIGKILL)
        assert server.process.wait(WAIT_SECONDS) != 0
        assert not (tmp_path / "1.sock").exists()


# Requests to the ASGI application, as an ASGI server makes them.


async def get(path: str, **headers: str) -> tuple[int, dict[str, str]]:
    scope: dict[str, Any] = {
        "type": "http", "method": "GET", "path": path, "query_string": b"", "http_version": "1.1",
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip
    scope["headers"].append((b"host", b"localhost"))
    communicator = ApplicationCommunicator(application, scope)
    await communicator.send_input({"type": "http.request", "body": b"", "more_body": False})
    start = await communicator.receive_output(10)
    while (await communicator.receive_output(10)).get("more_body"):
        pass
    await communicator.wait()
    return start["status"], {name.decode().title(): value.decode() for name, value in start["headers"]}


async def test_static_files_are_served_without_collectstatic() -> None:
    status, headers = await get("/static/web/site.css")
    assert (status, headers["X-Content-Type-Options"]) == (200, "nosniff")


async def test_browsers_revalidate_modules() -> None:
    _, first = await get("/static/realtime/client.js")
    assert first["Cache-Control"] == "max-age=0, public"
    status, _ = await get("/static/realtime/client.js", if_modified_since=first["Last-Modified"])
    assert status == 304


async def test_missing_static_file_is_404() -> None:
    status, _ = await get("/static/nothing.css")
    assert status == 404


async def test_concurrent_requests_have_their_own_ids() -> None:
    ids = [f"request-{number}" for number in range(5)]
    answers = await asyncio.gather(*(get("/health/live", x_request_id=one) for one in ids))
    assert [headers["X-Request-Id"] for _, headers in answers] == ids
