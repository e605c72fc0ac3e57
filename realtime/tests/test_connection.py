from __future__ import annotations

import asyncio

from django.utils import timezone

from realtime.channels import Identity
from realtime.connection import MOST_BYTES, MOST_FRAMES, SLOW_CLIENT, Batch, Connection
from realtime.frames import Encoded


async def no_reader(text: str) -> None:
    await asyncio.Event().wait()


def batch(*texts: str) -> Batch:
    events = [Encoded(seq, "x", frozenset(), {}, text, timezone.now()) for seq, text in enumerate(texts)]
    return Batch(events)


async def test_texts_leave_in_the_order_they_were_written() -> None:
    sent: list[str] = []

    async def send(text: str) -> None:
        await asyncio.sleep(0)
        sent.append(text)

    connection = Connection(Identity(), "ws", send)
    writer = asyncio.create_task(connection.drain())
    for number in range(60):
        connection.deliver(batch(f"{number}a", f"{number}b"))
        connection.say(f"{number}c")
        if number % 7 == 0:
            await asyncio.sleep(0)
    while len(sent) < 180:
        await asyncio.sleep(0)
    writer.cancel()
    assert sent == [f"{number}{letter}" for number in range(60) for letter in "abc"]


async def test_a_burst_in_one_round_closes_nobody() -> None:
    connection = Connection(Identity(), "ws", no_reader)
    connection.deliver(batch(*["x"] * 1000))
    assert not connection.closing.done()


async def test_a_client_that_did_not_take_the_rounds_before_is_closed() -> None:
    connection = Connection(Identity(), "ws", no_reader)
    connection.deliver(batch(*["x"] * (MOST_FRAMES + 1)))
    connection.deliver(batch("x"))
    assert connection.closing.result() == SLOW_CLIENT


async def test_bytes_are_counted_as_bytes() -> None:
    connection = Connection(Identity(), "ws", no_reader)
    connection.deliver(batch("瓦" * (MOST_BYTES // 3 + 1)))
    connection.deliver(batch("x"))
    assert connection.closing.result() == SLOW_CLIENT


async def test_nothing_is_queued_behind_the_end() -> None:
    connection = Connection(Identity(), "ws", no_reader)
    connection.close(4401)
    for _ in range(1000):
        connection.deliver(batch("x"))
        connection.say("x")
    assert len(connection._waiting) == 0


async def test_the_first_reason_to_close_counts() -> None:
    connection = Connection(Identity(), "ws", no_reader)
    connection.close(4401)
    connection.close(4008)
    assert connection.closing.result() == 4401
