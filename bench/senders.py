"""Senders, which publish events to each server in its usual way. They do not run on the server's core."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import time
from collections.abc import Callable
from typing import Any, Protocol

PAYLOAD_BYTES = 300


class Sender(Protocol):
    def publish(self, count: int) -> None:
        """Sends `count` events without pauses."""

    def close(self) -> None: ...


def padding(size: int) -> str:
    """Text of `size` bytes that begins with `@TIME@` (monotonic, in ns). The load client reads the time."""
    return f"@{time.monotonic_ns()}@".ljust(size, "x")


def event(size: int = PAYLOAD_BYTES) -> dict[str, Any]:
    """An event in Lucky Gas's format, `size` bytes long as `json.dumps` writes it."""
    envelope = {
        "type": "customer.updated",
        "id": 1043,
        "channel": "customers",
        "timestamp": "2026-11-23T09:00:00.000+08:00",
    }
    return envelope | {"data": {"customer_id": 17, "name": padding(size - 151)}}


def publish_steadily(sender: Sender, count: int, interval: float) -> None:
    """Publishes one event every `interval` seconds. A late sender does not catch up."""
    due = time.monotonic()
    for _ in range(count):
        sender.publish(1)
        due = max(due + interval, time.monotonic())
        time.sleep(max(0.0, due - time.monotonic()))


class SocketSender:
    """Publishes as a WebSocket client. Encodes frames itself and sends a burst in one write."""

    def __init__(self, port: int, path: str, encode: Callable[[dict[str, Any]], str], greeting: str = "") -> None:
        self._encode = encode
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        self._socket.sendall((head + key).encode())
        while b"\r\n\r\n" not in self._socket.recv(65536):
            pass
        if greeting:
            self._socket.sendall(frame(greeting))

    def publish(self, count: int) -> None:
        self._socket.sendall(b"".join(frame(self._encode(event())) for _ in range(count)))

    def close(self) -> None:
        self._socket.close()


def frame(text: str) -> bytes:
    """A text frame whose mask is zero (RFC 6455, 5.2)."""
    body = text.encode()
    size = struct.pack("!BB", 0x81, 0x80 | len(body)) if len(body) < 126 else struct.pack("!BBH", 0x81, 0xFE, len(body))
    return size + bytes(4) + body


class HttpSender:
    """Publishes by POST to nchan. A burst is pipelined (RFC 9112, 9.3.2), so that nchan can join its writes."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)

    def publish(self, count: int) -> None:
        bodies = [json.dumps(event()).encode() for _ in range(count)]
        head = "POST /pub HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n"
        self._socket.sendall(b"".join(head.format(len(body)).encode() + body for body in bodies))
        responses = 0
        while responses < count:
            responses += self._socket.recv(1 << 20).count(b"HTTP/1.1 20")

    def close(self) -> None:
        self._socket.close()


class RedisSender:
    """Publishes by Redis PUBLISH, a burst in one pipeline."""

    def __init__(self, url: str) -> None:
        from redis import Redis

        self._redis = Redis.from_url(url)

    def publish(self, count: int) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        for _ in range(count):
            pipeline.publish("orders", json.dumps(event()))
        pipeline.execute()

    def close(self) -> None:
        self._redis.close()


class GroupSender:
    """Publishes by `group_send` on a channel layer."""

    def __init__(self, layer: str, url: str) -> None:
        from django.utils.module_loading import import_string

        self._runner = asyncio.Runner()
        self._layer = import_string(layer)(hosts=[{"address": url, "socket_timeout": None}])

    def publish(self, count: int) -> None:
        self._runner.run(self._send(count))

    async def _send(self, count: int) -> None:
        for _ in range(count):
            await self._layer.group_send("orders", {"type": "chat.message", "message": event()})

    def close(self) -> None:
        self._runner.close()


class ManagerSender:
    """Publishes by python-socketio's `emit` from another process."""

    def __init__(self, url: str) -> None:
        import socketio

        self._manager = socketio.RedisManager(url, write_only=True)

    def publish(self, count: int) -> None:
        for _ in range(count):
            self._manager.emit("event", event(), room="orders")

    def close(self) -> None:
        self._manager.redis.close()
