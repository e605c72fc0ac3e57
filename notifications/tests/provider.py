"""An SMS provider for tests: a real HTTP server that behaves as it is told, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

import pytest

from notifications.gateways.base import Gateway, GatewayError, Message


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
        """Waits so long, at most until the test is over."""
        self.server.provider.over.wait(seconds)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 100
    provider: Provider

    def handle_error(self, *args: Any) -> None:
        """A client that hung up is what some tests are about."""


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
    """Ends the connection before the last byte of the body that it has promised."""

    def behave(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body) + 1))
        handler.end_headers()
        handler.wfile.write(body)

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
    """`behaviours` are taken in turn; the last stays."""

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
    """What sending it raises."""
    with pytest.raises(GatewayError) as failed:
        gateway.send(message)
    return failed.value
