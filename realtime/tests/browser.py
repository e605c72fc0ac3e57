"""A page with a `LuckyGasSocket` in a real browser: on the running site, or on a server that the test plays itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from django.contrib.staticfiles import finders
from playwright.async_api import Page, Route, WebSocketRoute

from luckygas.testing.browser import until
from luckygas.testing.waiting import wait_for_async

# Nothing listens there: what is asked of it, the test answers. Browsers trust loopback as they do https.
ORIGIN = "http://127.0.0.1:9"
EMPTY = '<!DOCTYPE html><html lang="en"><meta charset="utf-8"><link rel="icon" href="data:,"><title>-</title>'
OPEN = """async () => {
  const { LuckyGasSocket } = await import("/static/realtime/client.js");
  window.heard = [];
  window.socket = new LuckyGasSocket("%s", %s);
  for (const name of ["state", "resync", "connected", "close", "unauthenticated", "forbidden"])
    socket.on(name, (value) => heard.push([name, value]));
  socket.on("*", (frame) => heard.push(["*", frame]));
}"""


class Screen:
    """What a page with a socket heard."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def open(self, endpoint: str = "/api/v1/websocket/ws/office", options: str = "{}") -> None:
        """`options`: those of the constructor, as JavaScript."""
        await self.page.evaluate(OPEN % (endpoint, options))

    async def state(self, state: str) -> None:
        """Waits for it."""
        await until(self.page, "(state) => socket.state === state", state)

    async def heard(self, name: str) -> list[Any]:
        found: list[Any] = await self.page.evaluate(
            "(name) => heard.filter(([n]) => n === name).map(([, v]) => v)", name
        )
        return found

    async def events(self, count: int = 0) -> list[dict[str, Any]]:
        """The events of the log so far, once there are `count`."""
        kept = "heard.filter(([n, frame]) => n === '*' && frame.id).map(([, frame]) => frame)"
        await until(self.page, f"(count) => {kept}.length >= count", count)
        found: list[dict[str, Any]] = await self.page.evaluate(kept)
        return found

    async def ids(self, count: int = 0) -> list[int]:
        return [event["id"] for event in await self.events(count)]


class PlayedServer(Screen):
    """The other end, played by the test.

    `links`: every socket the page opened; `said`: every message it sent; `asked`: every request, with its path and
    query; `answers`: to requests, by path, or a function of the query.
    """

    def __init__(self, page: Page) -> None:
        super().__init__(page)
        self.links: list[WebSocketRoute] = []
        self.said: list[dict[str, Any]] = []
        self.asked: list[dict[str, str]] = []
        self.answers: dict[str, dict[str, Any] | Callable[[dict[str, str]], dict[str, Any]]] = {}
        self.refuses = False

    async def start(self) -> None:
        await self.page.route(f"{ORIGIN}/**", self._serve)
        await self.page.route_web_socket("**", self._accept)
        await self.page.goto(f"{ORIGIN}/")

    async def _serve(self, route: Route) -> None:
        path = urlsplit(route.request.url).path
        if path.startswith("/static/"):
            await route.fulfill(path=str(finders.find(path.removeprefix("/static/"))), content_type="text/javascript")
        elif path == "/":
            await route.fulfill(body=EMPTY, content_type="text/html")
        else:
            query = dict(parse_qsl(urlsplit(route.request.url).query))
            self.asked.append({"path": path} | query)
            answer = self.answers.get(path, {"status": 404})
            await route.fulfill(**(answer(query) if callable(answer) else answer))

    async def _accept(self, link: WebSocketRoute) -> None:
        link.on_message(lambda text: self.said.append(json.loads(text)))
        self.links.append(link)
        if self.refuses:
            await link.close(code=1011)

    async def link(self, number: int) -> dict[str, str]:
        """Waits for the page's link of this number, from 1; the query of its address."""
        await self.wait_for(lambda: len(self.links) >= number)
        return dict(parse_qsl(urlsplit(self.links[number - 1].url).query))

    async def message(self, number: int) -> dict[str, Any]:
        """Waits for the page's message of this number, from 1."""
        await self.wait_for(lambda: len(self.said) >= number)
        return self.said[number - 1]

    async def wait_for(self, done: Callable[[], bool]) -> None:
        await wait_for_async(done)

    async def hold(self) -> None:
        """Stops the page's clock, at most a second from now; it goes on by `clock.fast_forward` only."""
        await self.page.clock.pause_at((await self.page.evaluate("Date.now()") + 1000) / 1000)

    async def greet(self, head: int = 10, recovered: bool | None = None, user: int = 1, **fields: Any) -> None:
        """The first frame on the newest link."""
        usual = {"epoch": "e1", "channels": [f"user:{user}", "system"], "heartbeat_interval": 30}
        frame = {"type": "connection", "status": "connected", "last_event_id": head, "recovered": recovered}
        await self.tell(frame | usual | fields)

    async def event(self, *ids: int) -> None:
        for pk in ids:
            await self.tell({"type": "order.updated", "id": pk, "channel": "orders", "data": {}})

    async def tell(self, frame: dict[str, Any]) -> None:
        self.links[-1].send(json.dumps(frame))

    async def hang_up(self, code: int = 1011) -> None:
        await self.links[-1].close(code=code)

    async def live(self, options: str = "{}", **greeting: Any) -> None:
        """Opens the page's socket and greets it."""
        before = len(self.links)
        await self.open(options=options)
        await self.link(before + 1)
        await self.greet(**greeting)
        await self.state("live")


SEND = """(message) => {
  window.outcomes ??= [];
  socket.send(message).then(
    (frame) => outcomes.push(["done", frame]),
    (error) => outcomes.push([error.code, error.frame]),
  );
}"""
MOVE = {"type": "order_update", "order_id": 17, "status": "delivering"}


async def send(server: PlayedServer, **message: Any) -> None:
    await server.page.evaluate(SEND, message)


async def outcomes(server: PlayedServer, count: int) -> list[Any]:
    await until(server.page, "(count) => (window.outcomes ?? []).length >= count", count)
    found: list[Any] = await server.page.evaluate("outcomes")
    return found
