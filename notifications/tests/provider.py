"""An SMS provider for tests: a real HTTP server with scripted behaviour that records its requests."""

from __future__ import annotations

import json
import os
import socket
import struct
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qsl

import pytest

from notifications.gateways.base import Gateway, GatewayError, Message, Receipt, ReceiptError, Reply
from notifications.gateways.local import Memory
from notifications.states import MessageStatus, Reason


@dataclass
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        provider = self.server.provider
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        form = (self.headers.get("Content-Type") or "").startswith("application/x-www-form-urlencoded")
        body = dict(parse_qsl(sent.decode(), keep_blank_values=True)) if form else json.loads(sent or "{}")
        with provider.lock:
            provider.asked.append(Asked(self.command, self.path, dict(self.headers), body))
            behaviour = provider.behaviours.pop(0) if len(provider.behaviours) > 1 else provider.behaviours[0]
        behaviour(self)

    do_GET = do_POST

    def log_message(self, *args: Any) -> None:
        pass

    def pause(self, seconds: float | None = None) -> None:
        """Waits so long, or until the test ends."""
        self.server.provider.over.wait(seconds)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 100
    provider: Provider

    def handle_error(self, *args: Any) -> None:
        """Ignores clients that hang up, which some tests do on purpose."""


Behaviour = Callable[[Handler], None]


def says(status: int, body: str | bytes = "", **headers: str) -> Behaviour:
    sent = body.encode() if isinstance(body, str) else body

    def behave(handler: Handler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(sent)))
        handler.end_headers()
        handler.wfile.write(sent)

    return behave


def cut(body: bytes) -> Behaviour:
    """Closes the connection before the last byte of the announced body."""

    def behave(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body) + 1))
        handler.end_headers()
        handler.wfile.write(body)

    return behave


def writes(answer: bytes, *, reset: bool = False) -> Behaviour:
    """Writes the raw answer, headers included, then closes or resets the connection."""

    def behave(handler: Handler) -> None:
        handler.wfile.write(answer)
        if reset:
            handler.pause(0.1)
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(handler.connection.detach())

    return behave


def slow(seconds: float) -> Behaviour:
    def behave(handler: Handler) -> None:
        handler.pause(seconds)
        says(200)(handler)

    return behave


def hangs(handler: Handler) -> None:
    handler.pause()


def hangs_up(handler: Handler) -> None:
    handler.connection.close()


def drips_headers(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    drip(handler)


def drips_status(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 ")
    drip(handler)


def says_no_status(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 abc\r\n\r\n")


def drips_body(handler: Handler) -> None:
    handler.send_response(200)
    handler.end_headers()
    drip(handler)


def drip(handler: Handler) -> None:
    while not handler.server.provider.over.is_set():
        handler.wfile.write(b"x")
        handler.pause(0.05)


def floods(handler: Handler) -> None:
    handler.send_response(500)
    handler.end_headers()
    while not handler.server.provider.over.is_set():
        handler.wfile.write(b"x" * 65_536)


ACCEPTS = says(200, '{"message_id": "m-1"}')


@dataclass
class Provider:
    """`behaviours` are used in turn; the last one stays."""

    behaviours: list[Behaviour] = field(default_factory=lambda: [ACCEPTS])
    asked: list[Asked] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.provider = self
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}/sms"

    def behave(self, *behaviours: Behaviour) -> None:
        self.behaviours = list(behaviours)

    def stop(self) -> None:
        self.over.set()
        self.server.shutdown()
        self.server.server_close()


def error(gateway: Gateway, message: Message) -> GatewayError:
    """Sends a message and returns the error that it raises."""
    with pytest.raises(GatewayError) as failed:
        gateway.send(message)
    return failed.value


# A provider in memory with queries, whose receipts have `id`, `to`, `status` and perhaps `reply`.


class Told(Memory):
    query_size = 2
    # Its statuses by id, its balance, and the queries that it received.
    fates: ClassVar[dict[str, Receipt]] = {}
    points: ClassVar[Decimal | None] = None
    asked: ClassVar[list[list[str]]] = []

    def receipt(self, said: Mapping[str, str]) -> Receipt | Reply:
        at = datetime.fromisoformat(said["at"]) if "at" in said else None
        if "reply" in said:
            return Reply(said.get("id", ""), said.get("to", ""), said["reply"], at)
        if said.get("status") not in MessageStatus.values:
            raise ReceiptError("status is missing or unknown.")
        return Receipt(said.get("id", ""), said.get("to", ""), MessageStatus(said["status"]), raw_status="r", at=at)

    def acknowledgement(self, receipt: Receipt | Reply) -> str:
        return f"read={receipt.provider_message_id}\n"

    def query(self, ids: Sequence[str]) -> list[Receipt]:
        self.asked.append(list(ids))
        return [self.fates[known_as] for known_as in ids if known_as in self.fates]

    def balance(self) -> Decimal | None:
        if self.points is None:
            raise GatewayError("Could not connect to the provider.", reason=Reason.UNREACHABLE)
        return self.points
