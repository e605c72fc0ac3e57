"""From where a page resumes, and what it is told once only."""

from __future__ import annotations

import pytest

from realtime.tests.browser import PlayedServer


async def test_a_repeat_is_dropped(server: PlayedServer) -> None:
    await server.live(head=10)
    await server.event(11, 11, 10, 12, 11, 13)
    assert await server.ids(3) == [11, 12, 13]


async def test_a_page_without_a_past_begins_at_now(server: PlayedServer) -> None:
    await server.open()
    assert await server.link(1) == {}


async def test_a_lost_link_is_resumed_from_the_last_event(server: PlayedServer) -> None:
    await server.live(head=10)
    await server.event(11)
    await server.ids(1)
    await server.hang_up()
    assert await server.link(2) == {"since": "11", "epoch": "e1"}


async def test_a_heartbeats_answer_moves_the_cursor_forward_only(server: PlayedServer) -> None:
    await server.live(head=10)
    for head in (50, 40):
        await server.tell({"type": "heartbeat", "last_event_id": head})
    await server.event(45, 51)
    assert await server.ids(1) == [51]


async def test_a_replay_that_is_cut_is_resumed_where_it_was_cut(server: PlayedServer) -> None:
    await server.live("{since: 5}", head=20, recovered=True)
    await server.event(6)
    await server.ids(1)
    await server.hang_up()
    assert await server.link(2) == {"since": "6", "epoch": "e1"}


async def test_the_end_of_a_replay_is_the_answer_that_comes_behind_it(server: PlayedServer) -> None:
    await server.live("{since: 5}", head=20, recovered=True)
    assert (await server.message(1))["type"] == "heartbeat"
    await server.event(6)
    await server.tell({"type": "heartbeat", "last_event_id": 20})
    await server.ids(1)
    await server.hang_up()
    assert (await server.link(2))["since"] == "20"


async def test_what_cannot_be_replayed_is_said_and_the_cursor_is_the_new_end(server: PlayedServer) -> None:
    await server.live("{since: 5}", head=20, recovered=False, epoch="e2")
    await server.event(21)
    assert await server.ids(1) == [21]
    assert len(await server.heard("resync")) == 1
    await server.hang_up()
    assert await server.link(2) == {"since": "21", "epoch": "e2"}


@pytest.mark.parametrize("since", ["NaN", "'x'", "''", "-1", "undefined"])
async def test_a_since_that_is_no_number_is_none(server: PlayedServer, since: str) -> None:
    await server.open(options=f"{{since: {since}}}")
    assert await server.link(1) == {}


async def test_the_next_visit_begins_where_the_user_left_off(server: PlayedServer) -> None:
    await server.live(head=10, user=7)
    await server.event(11)
    await server.ids(1)
    await server.page.reload()
    await server.open()
    assert await server.link(2) == {"since": "11", "epoch": "e1"}


async def test_a_page_that_names_its_own_since_begins_there(server: PlayedServer) -> None:
    await server.live(head=10, user=7)
    await server.page.reload()
    await server.open(options="{since: 3}")
    assert await server.link(2) == {"since": "3"}
    await server.open(options="{since: 3, epoch: 'e2'}")
    assert await server.link(3) == {"since": "3", "epoch": "e2"}


async def test_another_users_past_is_not_told(server: PlayedServer) -> None:
    await server.live(head=10, user=7)
    await server.page.reload()
    await server.open()
    await server.link(2)
    await server.greet(head=20, recovered=True, user=8)
    assert await server.link(3) == {}
    assert await server.heard("*") == []


async def test_a_page_that_knows_its_user_needs_no_guess(server: PlayedServer) -> None:
    for user, head in ((7, 10), (8, 30)):
        await server.live(f"{{user: {user}}}", head=head, user=user)
        await server.page.reload()
    await server.open(options="{user: 7}")
    assert (await server.link(3))["since"] == "10"


async def test_a_tab_behind_another_leaves_the_further_mark(server: PlayedServer) -> None:
    await server.live(head=10, user=7)
    await server.page.evaluate("localStorage.setItem('luckygas:cursor:7', JSON.stringify({id: 99, epoch: 'e1'}))")
    await server.event(11)
    await server.ids(1)
    assert await server.page.evaluate("JSON.parse(localStorage.getItem('luckygas:cursor:7')).id") == 99


async def test_a_page_without_storage_works(server: PlayedServer) -> None:
    await server.page.evaluate(
        "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no', 'SecurityError'); }})"
    )
    await server.live(head=10)
    await server.event(11)
    assert await server.ids(1) == [11]
