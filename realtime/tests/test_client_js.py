"""What a page hears and asks for, frame by frame; on the running site: test_client_js_on_site.py."""

from __future__ import annotations

import asyncio

from luckygas.testing.browser import until
from realtime.tests.browser import PlayedServer


async def test_handlers_hear_their_type_until_taken_off(server: PlayedServer) -> None:
    await server.live()
    await server.page.evaluate(
        """() => {
          window.types = [];
          const handler = ({ id }) => types.push(id) === 2 && socket.off("order.updated", handler);
          socket.on("order.updated", handler).on("order.created", () => types.push("wrong"));
        }"""
    )
    await server.event(11, 12, 13)
    await server.ids(3)
    assert await server.page.evaluate("types") == [11, 12]


async def test_a_handler_that_fails_is_reported_and_keeps_nothing_from_the_others(server: PlayedServer) -> None:
    await server.live()
    await server.page.evaluate(
        """() => {
          window.reported = [];
          window.reportError = (error) => reported.push(error.message);
          socket.on("order.updated", () => { throw new Error("mine"); });
          socket.on("order.updated", ({ id }) => window.other = id);
        }"""
    )
    await server.event(11)
    await until(server.page, "window.other === 11")
    assert await server.page.evaluate("reported") == ["mine"]


async def test_channels_are_asked_for_and_again_on_the_next_link(server: PlayedServer) -> None:
    await server.live()
    await server.page.evaluate("socket.subscribe('order:1').subscribe('order:2').unsubscribe('order:1'); 0")
    await server.message(3)
    said = [("subscribe", "order:1"), ("subscribe", "order:2"), ("unsubscribe", "order:1")]
    assert [(m["type"], m["channel"]) for m in server.said] == said
    await server.hang_up()
    assert (await server.link(2))["channels"] == "order:2"
    await server.page.evaluate("socket.subscribe('order:3'); 0")
    await server.greet(recovered=True, channels=["user:1", "order:2"])
    await server.message(5)
    assert [m["channel"] for m in server.said[3:] if m["type"] == "subscribe"] == ["order:3"]


async def test_a_channel_asked_for_before_the_greeting_is_asked_for_once(server: PlayedServer) -> None:
    await server.open()
    await server.link(1)
    await server.page.evaluate("socket.subscribe('order:1'); 0")
    await server.greet()
    await server.message(1)
    await asyncio.sleep(0.1)
    assert server.said == [{"type": "subscribe", "channel": "order:1", "ref": "order:1"}]


async def test_a_refused_channel_is_not_asked_for_again(server: PlayedServer) -> None:
    await server.live()
    await server.page.evaluate("socket.subscribe('order:1').subscribe('order:2'); 0")
    await server.tell({"type": "error", "code": "forbidden", "detail": "no", "ref": "order:1"})
    await server.tell({"type": "error", "code": "rate_limited", "detail": "slowly", "ref": "order:2"})
    await until(server.page, "heard.filter(([n, f]) => n === '*' && f.type === 'error').length === 2")
    await server.hang_up()
    assert (await server.link(2))["channels"] == "order:2"


async def test_positions_come_in_batches_to_a_page_that_draws(server: PlayedServer) -> None:
    await server.live("{batch: {type: 'driver.location', ms: 250}}")
    await server.hold()
    await server.page.evaluate("window.batches = []; socket.on('driver.location', (b) => batches.push(b)); 0")
    for driver in (1, 2, 3):
        await server.tell({"type": "driver.location", "channel": "drivers", "data": {"driver_id": driver}})
    await until(server.page, "heard.filter(([n, f]) => n === '*' && f.type === 'driver.location').length === 3")
    assert await server.page.evaluate("batches") == []
    await server.page.clock.fast_forward(250)
    (batch,) = await server.page.evaluate("batches")
    assert [event["data"]["driver_id"] for event in batch] == [1, 2, 3]


async def test_the_last_word_of_the_server_has_its_time(server: PlayedServer) -> None:
    await server.open()
    assert await server.page.evaluate("socket.heardAt") is None
    await server.link(1)
    await server.greet()
    await server.state("live")
    assert await server.page.evaluate("Date.now() - socket.heardAt") < 5000


async def test_the_link_of_an_sms_neither_keeps_nor_uses_a_users_past(server: PlayedServer) -> None:
    await server.live(head=10, user=7)
    await server.page.reload()
    await server.open("/api/v1/websocket/ws/track/abc")
    assert await server.link(2) == {}
    await server.greet(head=20, channels=["track:1"])
    await server.state("live")
    assert await server.page.evaluate("JSON.parse(localStorage.getItem('luckygas:cursor:7')).id") == 10
