from __future__ import annotations

import asyncio

from realtime.channels import Identity
from realtime.connection import MOST_BYTES, MOST_FRAMES, SLOW_CLIENT, Connection


async def no_reader(frame: str) -> None:
    await asyncio.Event().wait()


async def test_frames_leave_in_the_order_they_were_written() -> None:
    sent: list[str] = []

    async def send(frame: str) -> None:
        await asyncio.sleep(0)
        sent.append(frame)

    connection = Connection(Identity(), "ws", send)
    writer = asyncio.create_task(connection.drain())
    for number in range(100):
        connection.write([str(number), f"{number}b"])
        if number % 7 == 0:
            await asyncio.sleep(0)
    while len(sent) < 200:
        await asyncio.sleep(0)
    writer.cancel()
    assert sent == [text for number in range(100) for text in (str(number), f"{number}b")]


async def test_a_client_that_does_not_read_is_closed_at_so_many_frames() -> None:
    connection = Connection(Identity(), "ws", no_reader)
    connection.write(["x"] * MOST_FRAMES)
    assert not connection.closing.done()
    connection.write(["x"])
    assert connection.closing.result() == SLOW_CLIENT


async def test_a_client_that_does_not_read_is_closed_at_so_many_bytes() -> None:
    connection = Connection(Identity(), "ws", no_reader)
    connection.write(["x" * MOST_BYTES])
    assert not connection.closing.done()
    connection.write(["x"])
    assert connection.closing.result() == SLOW_CLIENT


async def test_the_first_reason_to_close_counts() -> None:
    connection = Connection(Identity(), "ws", no_reader)
    connection.close(4401)
    connection.close(4008)
    assert connection.closing.result() == 4401
