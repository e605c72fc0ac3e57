"""A link that outlives its token: the page says a fresh one in time."""

from __future__ import annotations

import asyncio

from luckygas.testing.browser import until
from realtime.tests.browser import PlayedServer

FRESH = "{token: async () => { if (window.away) throw Error(); return `t${window.given = (window.given ?? 0) + 1}`; }}"
START, END, LATER = "2026-11-23T08:00:00.000+08:00", "2026-11-23T08:15:00.000+08:00", "2026-11-23T08:29:00.000+08:00"


async def test_a_fresh_token_is_said_a_minute_before_the_old_one_ends(server: PlayedServer) -> None:
    await server.live(FRESH, timestamp=START, expires_at=END)
    await server.hold()
    await server.page.clock.fast_forward("13:57")
    await asyncio.sleep(0.1)
    assert "authenticate" not in [message["type"] for message in server.said]
    await server.page.clock.fast_forward("00:03")
    said = await said_tokens(server, 1)
    await server.tell({"type": "authenticated", "timestamp": END, "expires_at": LATER})
    await until(server.page, "heard.some(([n, f]) => n === '*' && f.type === 'authenticated')")
    await server.page.clock.fast_forward("13:00")
    assert said + (await said_tokens(server, 2))[1:] == ["t2", "t3"]


async def test_who_has_no_fresh_token_is_asked_again(server: PlayedServer) -> None:
    await server.live(FRESH, timestamp=START, expires_at="2026-11-23T08:00:20.000+08:00")
    await server.hold()
    await server.page.evaluate("window.away = true")
    await server.page.clock.fast_forward("00:11")
    await asyncio.sleep(0.1)
    await server.page.evaluate("window.away = false")
    await server.page.clock.fast_forward("00:06")
    assert await said_tokens(server, 1) == ["t2"]


async def test_a_fixed_token_or_a_session_is_not_renewed(server: PlayedServer) -> None:
    await server.live("{token: 'fixed'}", timestamp=START, expires_at="2026-11-23T08:00:10.000+08:00")
    await server.hold()
    await server.page.clock.fast_forward("00:20")
    await asyncio.sleep(0.1)
    assert "authenticate" not in [message["type"] for message in server.said]


async def said_tokens(server: PlayedServer, count: int) -> list[str]:
    """The tokens of the first `count` renewals."""

    def said() -> list[str]:
        return [message["token"] for message in server.said if message["type"] == "authenticate"]

    await server.wait_for(lambda: len(said()) >= count)
    return said()
