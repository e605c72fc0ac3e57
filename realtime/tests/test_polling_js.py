"""Where sockets are blocked."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from luckygas.testing.browser import until
from realtime.tests.browser import MOVE, PlayedServer, outcomes, send

EVENTS = "/api/v1/events/"


def log(*ids: int, last: int, more: bool = False) -> dict[str, Any]:
    events = [{"type": "order.updated", "id": pk, "channel": "orders", "data": {}} for pk in ids]
    return {"status": 200, "json": {"events": events, "last_event_id": last, "epoch": "e1", "more": more}}


async def block(server: PlayedServer, options: str = "{}") -> None:
    """Sockets are refused, HTTP works; the page has made up its mind."""
    server.refuses = True
    server.answers |= {
        "/health/live": {"status": 200},
        "/api/v1/orders/": {"status": 200, "headers": {"Last-Event-Id": "10", "Last-Event-Epoch": "e1"}, "json": {}},
    }
    server.answers.setdefault(EVENTS, log(last=10))
    await server.page.evaluate("Math.random = () => 0.05")
    await server.open(options=options)
    await server.link(3)


def asked(server: PlayedServer) -> list[dict[str, str]]:
    return [query for query in server.asked if query["path"] == EVENTS]


async def test_three_links_that_do_not_open_though_http_works_begin_the_polling(server: PlayedServer) -> None:
    await block(server)
    await server.state("polling")
    assert len(server.links) == 3
    assert (asked(server)[0]["since"], asked(server)[0]["epoch"]) == ("10", "e1")
    server.answers[EVENTS] = log(11, 12, last=12)
    await server.page.clock.fast_forward(3_000)
    assert await server.ids(2) == [11, 12]
    await server.page.clock.fast_forward(3_000)
    await server.wait_for(lambda: asked(server)[-1]["since"] == "12")
    assert await server.ids() == [11, 12]


async def test_a_server_that_is_away_is_no_reason_to_poll(server: PlayedServer) -> None:
    server.refuses = True
    await server.page.evaluate("Math.random = () => 0.01")
    await server.open()
    await server.link(5)
    assert asked(server) == []
    assert await server.page.evaluate("socket.state") == "reconnecting"


async def test_polling_can_be_declined(server: PlayedServer) -> None:
    await block(server, "{poll: false}")
    await server.link(5)
    assert asked(server) == []


async def test_what_is_more_is_asked_for_at_once(server: PlayedServer) -> None:
    server.answers[EVENTS] = log(11, last=11, more=True)
    await server.hold()
    await block_held(server)
    await server.wait_for(lambda: len(asked(server)) >= 2)
    assert [query["since"] for query in asked(server)[:2]] == ["10", "11"]


async def block_held(server: PlayedServer) -> None:
    """With the page's clock held: links are opened by hand."""
    task = asyncio.create_task(block(server))
    while not task.done():
        await server.page.clock.fast_forward(1_000)
        await asyncio.sleep(0.05)
    await task


async def test_a_hidden_tab_asks_less_often(server: PlayedServer) -> None:
    await server.page.evaluate("Object.defineProperty(document, 'hidden', {value: true})")
    await block(server)
    await server.state("polling")
    await server.hold()
    before = len(asked(server))
    await server.page.clock.fast_forward(8_000)
    await asyncio.sleep(0.2)
    assert len(asked(server)) == before
    await server.page.clock.fast_forward(7_500)
    await server.wait_for(lambda: len(asked(server)) > before)


async def test_a_cursor_that_is_gone_is_a_resync_from_the_end_of_the_log(server: PlayedServer) -> None:
    server.answers[EVENTS] = {"status": 410, "json": {}}
    await block(server, "{since: 3}")
    await until(server.page, "heard.some(([name]) => name === 'resync')")
    server.answers[EVENTS] = log(11, last=11)
    await server.page.clock.fast_forward(3_000)
    assert await server.ids(1) == [11]
    assert (asked(server)[-1]["since"], asked(server)[-1]["epoch"]) == ("10", "e1")


async def test_the_socket_is_tried_again_each_minute_and_taken(server: PlayedServer) -> None:
    await block(server)
    await server.state("polling")
    await server.page.clock.fast_forward(60_000)
    await server.link(4)
    server.refuses = False
    await server.page.clock.fast_forward(30_000)
    await asyncio.sleep(0.2)
    assert len(server.links) == 4
    await server.page.clock.fast_forward(30_000)
    assert (await server.link(5))["since"] == "10"
    await server.greet(recovered=True)
    await server.state("live")
    before = len(asked(server))
    await server.page.clock.fast_forward(20_000)
    await asyncio.sleep(0.2)
    assert len(asked(server)) == before


@pytest.mark.parametrize("status", [401, 403])
async def test_who_may_not_read_is_told_to_sign_in(server: PlayedServer, status: int) -> None:
    server.answers[EVENTS] = {"status": status, "json": {}}
    await block(server)
    await server.state("closed")
    assert len(await server.heard("unauthenticated")) == 1


async def test_a_server_that_does_not_answer_is_said_and_asked_again(server: PlayedServer) -> None:
    await block(server)
    await server.state("polling")
    server.answers[EVENTS] = {"status": 503, "headers": {"Retry-After": "20"}, "json": {}}
    await server.page.clock.fast_forward(3_000)
    await server.state("reconnecting")
    server.answers[EVENTS] = log(11, last=11)
    before = len(asked(server))
    await server.page.clock.fast_forward(10_000)
    await asyncio.sleep(0.2)
    assert len(asked(server)) == before
    await server.page.clock.fast_forward(10_000)
    assert await server.ids(1) == [11]
    await server.state("polling")


async def test_someone_else_who_answers_is_no_server(server: PlayedServer) -> None:
    """A hotel's page for signing in, with status 200."""
    portal = {"status": 200, "body": "<html>", "content_type": "text/html"}
    await block(server)
    await server.state("polling")
    server.answers[EVENTS] = portal
    await server.page.clock.fast_forward(3_000)
    await server.state("reconnecting")
    server.answers[EVENTS] = log(11, last=11)
    await server.page.clock.fast_forward(3_000)
    assert await server.ids(1) == [11]


async def test_the_end_of_the_log_is_not_guessed(server: PlayedServer) -> None:
    await block(server)
    await server.state("polling")
    server.answers["/api/v1/orders/"] = {"status": 200, "body": "<html>", "content_type": "text/html"}
    server.answers[EVENTS] = {"status": 410, "json": {}}
    await server.page.clock.fast_forward(3_000)
    await server.state("reconnecting")
    assert await server.page.evaluate("socket.lastEventId") == 10


async def test_channels_are_merged_in_the_order_of_the_log(server: PlayedServer) -> None:
    def answer(query: dict[str, str]) -> dict[str, Any]:
        if query["since"] == "12":
            return log(14, last=14)
        return log(12, last=12) if "channel" in query else log(11, 14, last=14)

    await block(server)
    await server.state("polling")
    server.answers[EVENTS] = answer
    await server.page.evaluate("socket.subscribe('order:1'); 0")
    await server.page.clock.fast_forward(3_000)
    assert await server.ids(2) == [11, 12]
    await server.page.clock.fast_forward(3_000)
    assert await server.ids(3) == [11, 12, 14]


@pytest.mark.parametrize("status", [403, 404])
async def test_a_channel_that_may_not_be_read_is_dropped_and_the_others_go_on(
    server: PlayedServer, status: int
) -> None:
    def answer(query: dict[str, str]) -> dict[str, Any]:
        return {"status": status, "json": {}} if "channel" in query else log(11, last=11)

    await block(server)
    await server.state("polling")
    server.answers[EVENTS] = answer
    await server.page.evaluate("socket.subscribe('order:1'); 0")
    await server.page.clock.fast_forward(3_000)
    assert await server.ids(1) == [11]
    before = len(asked(server))
    await server.page.clock.fast_forward(3_000)
    await server.wait_for(lambda: len(asked(server)) > before)
    assert not any("channel" in query for query in asked(server)[before:])


async def test_a_cursor_that_is_gone_is_one_resync_however_many_channels(server: PlayedServer) -> None:
    await block(server, "{since: 3}")
    await server.state("polling")
    server.answers[EVENTS] = {"status": 410, "json": {}}
    await server.page.evaluate("socket.subscribe('order:1').subscribe('order:2'); 0")
    await server.page.clock.fast_forward(3_000)
    await until(server.page, "heard.some(([name]) => name === 'resync')")
    await asyncio.sleep(0.2)
    assert len(await server.heard("resync")) == 1


async def test_commands_are_told_to_go_another_way(server: PlayedServer) -> None:
    await server.open()
    await send(server, **MOVE)
    await server.page.evaluate("socket.close()")
    await block(server)
    await server.state("polling")
    await send(server, **MOVE)
    assert [code for code, _ in await outcomes(server, 2)] == ["closed", "no_socket"]


@pytest.mark.parametrize("code", [1013, 4013])
async def test_where_sockets_are_switched_off_it_polls_soon_and_looks_again_at_a_moment_of_its_own(
    server: PlayedServer, code: int
) -> None:
    server.answers[EVENTS] = log(11, last=11)
    await server.live()
    await server.hold()
    await server.page.evaluate("Math.random = () => 0.1")  # of 0 to 5 s, and of 30 to 90 s
    await server.hang_up(code)
    await server.state("reconnecting")
    assert asked(server) == []
    await server.page.clock.fast_forward(500)
    await server.state("polling")
    assert (await server.ids(1), len(server.links)) == ([11], 1)
    await server.page.clock.fast_forward(34_500)
    assert len(server.links) == 1
    await server.page.clock.fast_forward(1_000)
    await server.link(2)
    await server.greet(head=11, recovered=True)
    await server.state("live")


OFF = {"status": 503, "headers": {"Retry-After": "30"}, "json": {"errors": [{"code": "switched_off"}]}}


async def test_where_events_are_switched_off_too_the_page_loads_its_rows_each_30_seconds(server: PlayedServer) -> None:
    server.answers[EVENTS] = OFF
    await server.live()
    await server.page.evaluate(SHOW)
    await server.page.evaluate("Math.random = () => 0.5")  # of 0 to 5 s, and of 15 to 45 s
    await server.hang_up(1013)
    await server.state("reconnecting")
    await server.page.clock.fast_forward(2_500)
    await server.state("reloading")
    await until(server.page, "document.querySelector('.word').textContent === 'Every 30 seconds'")
    for times in (1, 2, 3):
        await until(server.page, "(times) => heard.filter(([name]) => name === 'resync').length === times", times)
        await server.page.clock.fast_forward(30_000)
    server.answers[EVENTS] = log(11, last=11)
    await server.page.clock.fast_forward(30_000)
    assert await server.ids(1) == [11]
    await server.state("polling")


SHOW = """async () => {
  await import("/static/realtime/elements.js");
  const shown = document.createElement("connection-status");
  Object.assign(shown.dataset, { live: "Live", reloading: "Every 30 seconds" });
  shown.socket = socket;
  document.body.append(shown);
}"""
