"""One link: how its death is noticed, and when the next is opened."""

from __future__ import annotations

import asyncio

import pytest

from realtime.tests.browser import PlayedServer

HIDE = "Object.defineProperty(document, 'visibilityState', {value: '%s', configurable: true})"


async def look(server: PlayedServer, visibility: str) -> None:
    """A tab that is left, or looked at again."""
    await server.page.evaluate(HIDE % visibility)
    await server.page.evaluate("document.dispatchEvent(new Event('visibilitychange')); 0")


async def links_after(server: PlayedServer, seconds: int) -> int:
    """How many links there were, that much later by the page's clock."""
    await server.page.clock.fast_forward(seconds * 1000)
    await asyncio.sleep(0.2)
    return len(server.links)


async def test_heartbeats_go_out_and_an_unanswered_one_is_a_dead_link(server: PlayedServer) -> None:
    await server.live()
    await server.page.clock.fast_forward(30_000)
    assert await server.message(1) == {"type": "heartbeat"}
    await server.page.clock.fast_forward(10_000)
    await server.state("reconnecting")
    assert (await server.link(2))["since"] == "10"


async def test_an_answered_heartbeat_keeps_the_link(server: PlayedServer) -> None:
    await server.live()
    for number in (1, 2, 3):
        await server.page.clock.fast_forward(30_000)
        await server.message(number)
        await server.tell({"type": "heartbeat", "last_event_id": 10 + number})
        await server.page.wait_for_function("(id) => socket.lastEventId === id", arg=10 + number)
    assert len(server.links) == 1


async def test_a_tab_whose_timers_are_slow_beats_when_it_hears_something(server: PlayedServer) -> None:
    await server.page.evaluate("window.setInterval = () => 0")
    await server.live()
    await server.page.clock.fast_forward(29_000)
    await server.event(11)
    await server.ids(1)
    assert server.said == []
    await server.page.clock.fast_forward(2_000)
    await server.event(12)
    assert await server.message(1) == {"type": "heartbeat"}


async def test_a_server_that_does_not_greet_is_a_dead_link(server: PlayedServer) -> None:
    await server.open()
    await server.link(1)
    assert await links_after(server, 9) == 1
    await server.page.clock.fast_forward(2_000)
    await server.link(2)


async def test_a_lost_link_is_tried_again_later_and_later(server: PlayedServer) -> None:
    await server.page.evaluate("Math.random = () => 0.99")
    await server.live()
    await server.hold()
    server.refuses = True
    await server.hang_up()
    await server.state("reconnecting")
    counts = [await links_after(server, seconds) for seconds in (1, 1, 2, 1, 3)]
    assert counts == [2, 3, 4, 4, 5]


@pytest.mark.parametrize("code", [4408, 4429])
async def test_who_was_silent_or_too_fast_comes_back_by_the_backoff(server: PlayedServer, code: int) -> None:
    await server.page.evaluate("Math.random = () => 0.9")
    await server.live()
    await server.hold()
    await server.hang_up(code)
    await server.state("reconnecting")
    assert await links_after(server, 0) == 1
    await server.page.clock.fast_forward(500)
    assert (await server.link(2))["since"] == "10"


async def test_ten_good_seconds_begin_the_backoff_anew(server: PlayedServer) -> None:
    await server.page.evaluate("Math.random = () => 0.99")
    server.refuses = True
    await server.open()
    await server.link(3)
    server.refuses = False
    await server.page.clock.fast_forward(4_000)
    await server.link(4)
    await server.greet()
    await server.state("live")
    await server.page.clock.fast_forward(11_000)
    await server.hold()
    await server.hang_up()
    await server.state("reconnecting")
    assert await links_after(server, 1) == 5


@pytest.mark.parametrize("wake", ["online", "visible"])
async def test_a_wake_reconnects_at_once(server: PlayedServer, wake: str) -> None:
    await server.live()
    await server.hold()
    await server.hang_up()
    await server.state("reconnecting")
    if wake == "online":
        await server.page.evaluate("dispatchEvent(new Event('online')); 0")
    else:
        await look(server, "visible")
    await server.link(2)


async def test_a_wake_asks_a_live_link_whether_it_is(server: PlayedServer) -> None:
    await server.live()
    await look(server, "visible")
    assert await server.message(1) == {"type": "heartbeat"}
    await server.page.clock.fast_forward(10_000)
    await server.link(2)


async def test_a_network_that_goes_is_said_at_once(server: PlayedServer) -> None:
    await server.live()
    await server.page.context.set_offline(True)
    await server.state("offline")
    await server.page.context.set_offline(False)
    await server.link(2)
    await server.greet(recovered=True)
    await server.state("live")


@pytest.mark.parametrize(("code", "said"), [(4401, "unauthenticated"), (4403, "forbidden")])
async def test_a_refusal_is_final(server: PlayedServer, code: int, said: str) -> None:
    await server.live()
    await server.hang_up(code)
    await server.state("closed")
    assert len(await server.heard(said)) == 1
    assert await links_after(server, 120) == 1


async def test_a_fresh_token_is_tried_once(server: PlayedServer) -> None:
    await server.live("{token: () => `t${window.given = (window.given ?? 0) + 1}`}")
    assert (await server.link(1))["token"] == "t1"
    await server.hang_up(4401)
    assert (await server.link(2))["token"] == "t2"
    await server.hang_up(4401)
    await server.state("closed")
    assert len(await server.heard("unauthenticated")) == 1


async def test_a_token_that_served_well_may_be_renewed_again(server: PlayedServer) -> None:
    await server.live("{token: async () => `t${window.given = (window.given ?? 0) + 1}`}")
    for number in (2, 3):
        await server.page.clock.fast_forward(11_000)
        await server.hang_up(4401)
        assert (await server.link(number))["token"] == f"t{number}"
        await server.greet()
        await server.state("live")


async def test_a_connection_too_many_waits_until_it_is_looked_at(server: PlayedServer) -> None:
    await server.live()
    await server.hang_up(4409)
    await server.state("offline")
    await server.page.evaluate("dispatchEvent(new Event('online')); 0")
    assert await links_after(server, 120) == 1
    await look(server, "hidden")
    await look(server, "visible")
    await server.link(2)


async def test_a_restart_is_waited_for_as_long_as_told(server: PlayedServer) -> None:
    await server.live()
    await server.hold()
    await server.tell({"type": "restart", "retry_in": 4})
    await server.hang_up(4012)
    await server.state("reconnecting")
    await look(server, "visible")
    assert await links_after(server, 3) == 1
    assert await links_after(server, 2) == 2


@pytest.mark.parametrize("told", ["-1", "3600", "'soon'", "null"])
async def test_a_restart_that_says_nonsense_is_waited_for_a_minute_at_most(server: PlayedServer, told: str) -> None:
    await server.live()
    await server.page.evaluate(f"window.told = {told}")
    await server.tell({"type": "restart", "retry_in": await server.page.evaluate("told")})
    await server.hang_up(4012)
    await server.page.clock.fast_forward(60_000)
    await server.link(2)


async def test_close_ends_it(server: PlayedServer) -> None:
    await server.live()
    await server.page.evaluate("socket.close()")
    await look(server, "visible")
    assert await links_after(server, 120) == 1
    assert (await server.heard("state"))[-1] == "closed"
