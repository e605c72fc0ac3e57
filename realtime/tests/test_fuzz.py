"""Random client messages: each is answered, or closes the socket if it breaks the protocol. The server never fails."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.sync.client import ClientConnection, connect

from luckygas.testing.site import Site
from orders.models import Order
from orders.states import OrderStatus
from orders.tests.factories import make_driver, make_order
from realtime.commands import HANDLERS
from realtime.tests.client import token_for

pytestmark = pytest.mark.django_db(transaction=True)
# The fields of all commands. The test sends each command with each field.
FIELDS = (
    "channel", "order_id", "status", "details", "at", "ref", "version", "confirmation_type", "cylinder_serial",
    "cylinder_serials", "confirmed_at", "quantities", "amount_collected", "latitude", "longitude", "speed", "heading",
    "accuracy", "timestamp", "locations", "token", "eta", "notes", "reason",
)  # fmt: skip
ODD_VALUES = [
    "order:1", "orders", "\0", "delivering", "delivered", "qr_code", "2026-11-23T09:00:00+08:00", "9" * 400, 10**400,
    -1, 2**63, 1e308, "\U0001f525", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00", [[]], {"": None}, True,
]  # fmt: skip
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.sampled_from(ODD_VALUES))
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))
RAW_MESSAGES = [
    "NaN",
    "[" * 30_000,
    '{"type":' * 5_000,
    '"\\ud800"',
    '{"type": "heartbeat", "n": Infinity}',
    "1" * 5_000,
    "",
]
WRONG_VALUES: list[Any] = [[], {}, 7, None]
# Messages per connection, below the rate limit.
MESSAGES_PER_CONNECTION = 30


def commands(order: Order) -> st.SearchStrategy[str | bytes]:
    known = st.one_of(VALUES, st.just(order.pk), st.just(order.order_number))
    bodies = st.dictionaries(st.sampled_from(FIELDS), known, max_size=5)
    types = st.sampled_from(sorted(HANDLERS)) | VALUES
    # `json.dumps` also writes NaN, Infinity and lone surrogates.
    commands = st.builds(lambda type_, body: json.dumps(body | {"type": type_}), types, bodies)
    return st.one_of(commands, commands, VALUES.map(json.dumps), st.text(), st.binary(), st.sampled_from(RAW_MESSAGES))


class Sender:
    """Sends messages one by one. After each message, the server must still answer a ping and another message."""

    def __init__(self, url: str) -> None:
        self.url, self.sent = url, 0
        self.socket: ClientConnection | None = None
        self.stack = ExitStack()

    def send(self, message: str | bytes) -> None:
        try:
            text: str | bytes = message if isinstance(message, bytes) else message.encode().decode()
        except UnicodeEncodeError:
            text = json.dumps(message)
        socket = self.open()
        # Send it in two frames, because a message may be fragmented (RFC 6455, 5.4).
        socket.send([text[:3], text[3:]] if len(text) > 5 else text)
        socket.ping().wait(5)
        socket.send(json.dumps({"type": "last", "ref": f"last {self.sent}"}))
        while json.loads(socket.recv(timeout=5)).get("ref") != f"last {self.sent}":
            pass

    def open(self) -> ClientConnection:
        self.sent += 1
        if self.socket is None or self.sent % MESSAGES_PER_CONNECTION == 0:
            self.stack.close()
            self.socket = self.stack.enter_context(connect(self.url, proxy=None, compression=None))
            assert json.loads(self.socket.recv(timeout=5))["type"] == "connection"
        return self.socket


@pytest.fixture
def url(either_site: Site) -> Iterator[str]:
    """The URL of a driver's socket. Checks at the end that the server logged no error."""
    driver = make_driver()
    make_order(OrderStatus.ASSIGNED, driver=driver)
    yield f"{either_site.ws}/driver?token={token_for(driver.user)}"
    log = either_site.log.read_text()
    # uvicorn itself logs an error for text that is not UTF-8.
    assert not re.search(" ERROR (?!uvicorn)|File .*/(realtime|orders)/", log), log


@pytest.mark.long
@pytest.mark.timeout(120)
def test_no_message_closes_a_socket(url: str) -> None:
    sender, order = Sender(url), Order.objects.get()

    @settings(max_examples=150, deadline=None)
    @given(commands(order))
    def send(message: str | bytes) -> None:
        sender.send(message)

    with sender.stack:
        for name, field in product(HANDLERS, FIELDS):
            for value in WRONG_VALUES:
                sender.send(json.dumps({"order_id": order.pk, "cylinder_serial": "C1", "type": name, field: value}))
        send()


def frame(first: int, payload: bytes, *, mask: bool = True) -> bytes:
    """A frame with these bits in its first byte (RFC 6455, 5.2) and a zero mask."""
    length = len(payload)
    size = struct.pack("!B", length | mask << 7) if length < 126 else struct.pack("!BQ", 127 | mask << 7, length)
    return bytes([first]) + size + (bytes(4) if mask else b"") + payload


BROKEN_FRAMES = {
    "invalid UTF-8": (frame(0x81, b"\xff\xfe"), 1007),
    "reserved bits": (frame(0xF1, b"{}"), 1002),
    "an unknown opcode": (frame(0x83, b"{}"), 1002),
    "a frame without its mask": (frame(0x81, b"{}", mask=False), 1002),
    "a fragmented ping": (frame(0x09, b""), 1002),
    "a continuation without a first frame": (frame(0x80, b"{}"), 1002),
    "more than 64 KiB": (frame(0x81, b" " * 65_537), 1009),
}


def test_broken_frame_closes_only_its_own_socket(url: str) -> None:
    with connect(url, proxy=None, compression=None) as other:
        other.recv(timeout=5)
        for case, (sent, code) in BROKEN_FRAMES.items():
            with connect(url, proxy=None, compression=None) as broken:
                broken.recv(timeout=5)
                broken.socket.sendall(sent)
                broken.recv_events_thread.join(5)
                # Daphne has its own code for too large messages, and closes after protocol errors without a close code.
                assert broken.close_code in {code, code + 3000, 1006}, case
        other.send('{"type": "heartbeat"}')
        assert json.loads(other.recv(timeout=5))["type"] == "heartbeat"
