"""SMS providers for tests: an HTTP server with scripted behaviour that records requests, and a gateway in memory."""

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
class ReceivedRequest:
    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        provider = self.server.provider
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        form = (self.headers.get("Content-Type") or "").startswith("application/x-www-form-urlencoded")
        body = dict(parse_qsl(data.decode(), keep_blank_values=True)) if form else json.loads(data or "{}")
        with provider.lock:
            provider.requests.append(ReceivedRequest(self.command, self.path, dict(self.headers), body))
            behaviour = provider.behaviours.pop(0) if len(provider.behaviours) > 1 else provider.behaviours[0]
        behaviour(self)

    do_GET = do_POST

    def log_message(self, *args: Any) -> None:
        pass

    def pause(self, seconds: float | None = None) -> None:
        """Waits for `seconds` (None: without limit), but not beyond the end of the test."""
        self.server.provider.is_over.wait(seconds)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 100
    provider: Provider

    def handle_error(self, *args: Any) -> None:
        """Ignores all errors. In some tests the client hangs up on purpose."""


Behaviour = Callable[[Handler], None]


def answers(status: int, body: str | bytes = "", **headers: str) -> Behaviour:
    data = body.encode() if isinstance(body, str) else body

    def behave(handler: Handler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

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
        answers(200)(handler)

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


def answers_invalid_status(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 abc\r\n\r\n")


def drips_body(handler: Handler) -> None:
    handler.send_response(200)
    handler.end_headers()
    drip(handler)


def drip(handler: Handler) -> None:
    while not handler.server.provider.is_over.is_set():
        handler.wfile.write(b"x")
        handler.pause(0.05)


def floods(handler: Handler) -> None:
    handler.send_response(500)
    handler.end_headers()
    while not handler.server.provider.is_over.is_set():
        handler.wfile.write(b"x" * 65_536)


ACCEPTS = answers(200, '{"message_id": "m-1"}')


@dataclass
class Provider:
    """An HTTP server that behaves once as each of `behaviours` in turn, and then always as the last one."""

    behaviours: list[Behaviour] = field(default_factory=lambda: [ACCEPTS])
    requests: list[ReceivedRequest] = field(default_factory=list)
    is_over: threading.Event = field(default_factory=threading.Event)
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
        self.is_over.set()
        self.server.shutdown()
        self.server.server_close()


def sending_error(gateway: Gateway, message: Message) -> GatewayError:
    """Sends a message and returns the error that it raises."""
    with pytest.raises(GatewayError) as failed:
        gateway.send(message)
    return failed.value


class FakeGateway(Memory):
    """A gateway in memory with queries. Its callbacks have the parameters `id`, `to`, `status`, `at` and `reply`."""

    query_size = 2
    # Its answers to queries by id, its balance, and the ids of each query that it received.
    receipts: ClassVar[dict[str, Receipt]] = {}
    points: ClassVar[Decimal | None] = None
    queries: ClassVar[list[list[str]]] = []

    def receipt(self, parameters: Mapping[str, str]) -> Receipt | Reply:
        at = datetime.fromisoformat(parameters["at"]) if "at" in parameters else None
        if "reply" in parameters:
            return Reply(parameters.get("id", ""), parameters.get("to", ""), parameters["reply"], at)
        if parameters.get("status") not in MessageStatus.values:
            raise ReceiptError("status is missing or unknown.")
        return Receipt(
            parameters.get("id", ""),
            parameters.get("to", ""),
            MessageStatus(parameters["status"]),
            raw_status="r",
            at=at,
        )

    def acknowledgement(self, receipt: Receipt | Reply) -> str:
        return f"read={receipt.provider_message_id}\n"

    def query(self, ids: Sequence[str]) -> list[Receipt]:
        self.queries.append(list(ids))
        return [self.receipts[id_] for id_ in ids if id_ in self.receipts]

    def balance(self) -> Decimal | None:
        if self.points is None:
            raise GatewayError("Could not connect to the provider.", reason=Reason.UNREACHABLE)
        return self.points
