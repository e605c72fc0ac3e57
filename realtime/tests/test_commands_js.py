"""What a page sends, and how it learns what became of it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from luckygas.testing.browser import until
from realtime.tests.browser import PlayedServer

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
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


async def test_a_command_gets_a_ref_and_resolves_with_its_ack(server: PlayedServer) -> None:
    await server.live()
    await send(server, **MOVE)
    said = await server.message(1)
    assert UUID.fullmatch(said["ref"])
    ack = {"type": "ack", "ref": said["ref"], "order_id": 17, "status": "delivering", "version": 4}
    await server.tell({"type": "ack", "ref": "another"})
    await server.tell(ack)
    assert await outcomes(server, 1) == [["done", ack]]


async def test_a_refused_command_rejects_with_the_error(server: PlayedServer) -> None:
    await server.live()
    await send(server, **MOVE, ref="r1")
    await server.message(1)
    error = {"type": "error", "code": "invalid_transition", "detail": "no", "ref": "r1"}
    await server.tell(error)
    assert await outcomes(server, 1) == [["invalid_transition", error]]


@pytest.mark.parametrize("code", ["rate_limited", "row_locked", "busy"])
async def test_what_could_not_be_done_now_is_said_again_a_little_later(server: PlayedServer, code: str) -> None:
    await server.live()
    await send(server, **MOVE, ref="r1")
    await server.page.evaluate("socket.subscribe('orders')")
    await server.message(2)
    for ref in ("r1", "orders"):
        await server.tell({"type": "error", "code": code, "detail": "slowly", "ref": ref})
    await server.page.evaluate("0")  # both have been heard
    await server.page.clock.fast_forward(2_000)
    await server.message(4)
    assert server.said[2:] == server.said[:2]
    await server.tell({"type": "ack", "ref": "r1"})
    assert [code for code, _ in await outcomes(server, 1)] == ["done"]


async def test_an_unanswered_command_is_repeated_with_its_ref_on_the_next_link(server: PlayedServer) -> None:
    await server.live()
    await send(server, **MOVE, ref="r1")
    await server.message(1)
    await server.hang_up()
    await server.link(2)
    await server.greet(recovered=True)
    await server.message(3)
    assert [m["ref"] for m in server.said if m["type"] == "order_update"] == ["r1", "r1"]
    await server.tell({"type": "ack", "ref": "r1"})
    assert (await outcomes(server, 1))[0][0] == "done"


async def test_a_command_given_while_away_is_sent_when_back(server: PlayedServer) -> None:
    await server.open()
    await server.link(1)
    await send(server, **MOVE, ref="r1")
    assert server.said == []
    await server.greet()
    assert (await server.message(1))["ref"] == "r1"


async def test_the_same_ref_twice_is_one_command(server: PlayedServer) -> None:
    await server.live()
    await send(server, **MOVE, ref="r1")
    await send(server, **MOVE, ref="r1")
    await server.message(1)
    await server.tell({"type": "ack", "ref": "r1"})
    assert [code for code, _ in await outcomes(server, 2)] == ["done", "done"]
    assert len(server.said) == 1


async def test_a_message_without_an_answer_is_told_to_be_impossible_while_away(server: PlayedServer) -> None:
    await server.open()
    await send(server, type="location_update", latitude=25.0, longitude=121.5)
    assert (await outcomes(server, 1))[0][0] == "no_socket"


async def test_no_more_than_a_burst_waits(server: PlayedServer) -> None:
    await server.open()
    for number in range(33):
        await send(server, **MOVE, ref=f"r{number}")
    assert (await outcomes(server, 1))[0][0] == "too_many"


async def test_close_rejects_what_waits(server: PlayedServer) -> None:
    await server.live()
    await send(server, **MOVE)
    await server.page.evaluate("socket.close()")
    await send(server, **MOVE)
    assert [code for code, _ in await outcomes(server, 2)] == ["closed", "closed"]


async def test_a_ref_is_a_uuid_without_a_secure_context_too(server: PlayedServer) -> None:
    ref = await server.page.evaluate(
        """async () => {
          Object.defineProperty(crypto, "randomUUID", { value: undefined });
          return (await import("/static/realtime/ref.js")).newRef();
        }"""
    )
    assert UUID.fullmatch(ref)
