"""A page with a `LuckyGasSocket` in a real browser. It connects to the running site or to a simulated server."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from django.contrib.staticfiles import finders
from playwright.async_api import Page, Route, WebSocketRoute

from luckygas.testing.browser import until
from luckygas.testing.waiting import wait_for_async

# Nothing listens here: the test answers the requests. Browsers treat loopback as a secure origin.
ORIGIN = "http://127.0.0.1:9"
EMPTY_PAGE = '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,"><title>-</title>'
OPEN_SOCKET = """async () => {
  const { LuckyGasSocket } = await import("/static/realtime/client.js");
  window.received = [];
  window.socket = new LuckyGasSocket("%s", %s);
  for (const name of ["state", "resync", "connected", "close", "unauthenticated", "forbidden"])
    socket.on(name, (value) => received.push([name, value]));
  socket.on("*", (frame) => received.push(["*", frame]));
}"""


class BrowserScreen:
    """A page with a socket, and the events it received."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def open(self, endpoint: str = "/api/v1/websocket/ws/office", options: str = "{}") -> None:
        """Opens a `LuckyGasSocket`. `options` is the JavaScript object for its constructor."""
        await self.page.evaluate(OPEN_SOCKET % (endpoint, options))

    async def wait_for_state(self, state: str) -> None:
        """Waits until the socket has this state."""
        await until(self.page, "(state) => socket.state === state", state)

    async def received(self, name: str) -> list[Any]:
        """The values that the socket has emitted under this name, such as `state`; `*`: all frames."""
        found: list[Any] = await self.page.evaluate(
            "(name) => received.filter(([n]) => n === name).map(([, v]) => v)", name
        )
        return found

    async def events(self, count: int = 0) -> list[dict[str, Any]]:
        """Waits until `count` events with an id have come. Returns all that have come."""
        numbered = "received.filter(([n, frame]) => n === '*' && frame.id).map(([, frame]) => frame)"
        await until(self.page, f"(count) => {numbered}.length >= count", count)
        found: list[dict[str, Any]] = await self.page.evaluate(numbered)
        return found

    async def ids(self, count: int = 0) -> list[int]:
        return [event["id"] for event in await self.events(count)]


class SimulatedServer(BrowserScreen):
    """A page whose server is simulated: the test answers the page's requests and sends frames.

    `sockets` are all sockets that the page opened. The tests in realtime/tests/js use another simulated server.
    """

    def __init__(self, page: Page) -> None:
        super().__init__(page)
        self.sockets: list[WebSocketRoute] = []

    async def start(self) -> None:
        await self.page.route(f"{ORIGIN}/**", self._serve)
        await self.page.route_web_socket("**", self._accept)
        await self.page.goto(f"{ORIGIN}/")

    async def _serve(self, route: Route) -> None:
        path = urlsplit(route.request.url).path
        if path.startswith("/static/"):
            await route.fulfill(path=str(finders.find(path.removeprefix("/static/"))), content_type="text/javascript")
        elif path == "/":
            await route.fulfill(body=EMPTY_PAGE, content_type="text/html")
        else:
            await route.fulfill(status=404)

    async def _accept(self, socket: WebSocketRoute) -> None:
        socket.on_message(lambda text: None)
        self.sockets.append(socket)

    async def send(self, frame: dict[str, Any]) -> None:
        self.sockets[-1].send(json.dumps(frame))

    async def close_socket(self, code: int = 1011) -> None:
        await self.sockets[-1].close(code=code)

    async def open_live(self) -> None:
        """Opens the page's socket and sends the connection frame."""
        await self.open()
        await wait_for_async(lambda: len(self.sockets) == 1)
        usual = {"epoch": "e1", "channels": ["user:1", "system"], "heartbeat_interval": 30}
        await self.send({"type": "connection", "last_event_id": 10, "recovered": None} | usual)
        await self.wait_for_state("live")
