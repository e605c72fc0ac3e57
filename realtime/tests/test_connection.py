from __future__ import annotations

import asyncio

from django.conf import settings
from websockets.client import ClientProtocol
from websockets.frames import Frame
from websockets.protocol import State
from websockets.uri import parse_uri

from realtime.channels import Identity
from realtime.connection import MAX_REFUSALS, SLOW_CLIENT, TOO_FAST, Batch, Connection, FrameWriter, SendQueue
from realtime.tests.client import unread_queue


def batch(*texts: str) -> Batch:
    return Batch(texts)


def connect(out: FrameWriter) -> Connection:
    return Connection(Identity(), "ws", out)


async def test_messages_are_sent_in_order() -> None:
    sent: list[str] = []

    async def send(text: str) -> None:
        await asyncio.sleep(0)
        sent.append(text)

    queue = SendQueue(send)
    connection = connect(queue)
    writer = asyncio.create_task(queue.drain())
    for number in range(60):
        connection.deliver(batch(f"{number}a", f"{number}b"))
        connection.write(f"{number}c")
        if number % 7 == 0:
            await asyncio.sleep(0)
    while len(sent) < 180:
        await asyncio.sleep(0)
    writer.cancel()
    assert sent == [f"{number}{letter}" for number in range(60) for letter in "abc"]


async def test_burst_in_one_round_closes_no_connection() -> None:
    connection = connect(unread_queue())
    connection.deliver(batch(*["x"] * 1000))
    assert not connection.closing.done()


async def test_client_that_does_not_read_is_closed() -> None:
    connection = connect(unread_queue())
    for _ in range(settings.WEBSOCKET_WAITING_EVENTS + 2):
        connection.deliver(batch("x"))
    assert connection.closing.result() == SLOW_CLIENT


async def test_ephemeral_events_are_dropped_while_data_waits() -> None:
    sent: list[str] = []

    async def send(text: str) -> None:
        sent.append(text)

    queue = SendQueue(send)
    connection = connect(queue)
    connection.offer(batch("a", "b"))
    for _ in range(1000):
        connection.offer(batch("c"))
    writer = asyncio.create_task(queue.drain())
    await asyncio.sleep(0)
    connection.offer(batch("d"))
    await asyncio.sleep(0.01)
    writer.cancel()
    assert (sent, connection.closing.done()) == (["a", "b", "d"], False)


async def test_waiting_bytes_are_counted_in_utf8() -> None:
    connection = connect(unread_queue())
    connection.deliver(batch("瓦" * (settings.WEBSOCKET_WAITING_BYTES // 3 + 1)))
    connection.deliver(batch("x"))
    assert connection.closing.result() == SLOW_CLIENT


async def test_nothing_is_written_after_close() -> None:
    queue = unread_queue()
    connection = connect(queue)
    connection.close(4401)
    for _ in range(1000):
        connection.deliver(batch("x"))
        connection.write("x")
    assert queue.bytes_waiting() == 0


async def test_dropped_queue_counts_no_bytes() -> None:
    queue = unread_queue()
    queue.write(batch("x"))
    queue.drop(4401)
    assert queue.bytes_waiting() == 0


async def test_first_close_code_counts() -> None:
    connection = connect(unread_queue())
    connection.close(4401)
    connection.close(4008)
    assert connection.closing.result() == 4401


class RecordingWriter:
    """A `FrameWriter` that records what it gets. `waiting` simulates unread bytes."""

    def __init__(self) -> None:
        self.written, self.waiting, self.dropped = b"", 0, list[int]()

    def write(self, batch: Batch) -> None:
        self.written += batch.frames

    def bytes_waiting(self) -> int:
        return self.waiting

    def drop(self, code: int) -> None:
        self.dropped.append(code)


async def test_encoded_frames_of_all_sizes_can_be_parsed() -> None:
    transport = RecordingWriter()
    connection = connect(transport)
    connection.deliver(batch("a" * 125, "b" * 126, "c" * 65_536))
    connection.write("瓦")
    parser = ClientProtocol(parse_uri("ws://x/"))
    parser.state = State.OPEN
    parser.parser = parser.parse()
    next(parser.parser)
    parser.receive_data(transport.written)
    texts = [bytes(event.data).decode() for event in parser.events_received() if isinstance(event, Frame)]
    assert texts == ["a" * 125, "b" * 126, "c" * 65_536, "瓦"]


async def test_transport_that_keeps_up_stays_open() -> None:
    transport = RecordingWriter()
    connection = connect(transport)
    for _ in range(10):
        connection.deliver(batch(*["x"] * 1000))
    assert not connection.closing.done()


async def test_stalled_transport_is_closed() -> None:
    transport = RecordingWriter()
    connection = connect(transport)
    transport.waiting = 1
    for _ in range(settings.WEBSOCKET_WAITING_EVENTS + 1):
        connection.deliver(batch("x"))
    assert (connection.closing.result(), transport.dropped) == (SLOW_CLIENT, [SLOW_CLIENT])


async def test_stalled_transport_gets_no_ephemeral_events_and_stays_open() -> None:
    transport = RecordingWriter()
    connection = connect(transport)
    transport.waiting = settings.WEBSOCKET_WAITING_BYTES + 1
    for _ in range(1000):
        connection.offer(batch("x"))
    assert (transport.written, connection.closing.done()) == (b"", False)
    transport.waiting = 0
    connection.offer(batch("x", "y"))
    connection.close(4401)
    connection.offer(batch("z"))
    assert transport.written == batch("x", "y").frames


async def test_closing_drops_only_a_stalled_transport() -> None:
    transport = RecordingWriter()
    connect(transport).close(4408)
    assert transport.dropped == []
    transport.waiting = 1
    connect(transport).close(4408)
    assert transport.dropped == [4408]


async def test_client_that_ignores_rate_limit_is_closed() -> None:
    connection = connect(unread_queue())
    accepted = [connection.count_message() for _ in range(settings.WEBSOCKET_BURST + MAX_REFUSALS - 1)]
    assert accepted.count(True) in range(settings.WEBSOCKET_BURST, settings.WEBSOCKET_BURST + 5)
    assert not connection.closing.done()
    while not connection.closing.done():
        connection.count_message()
    assert connection.closing.result() == TOO_FAST
