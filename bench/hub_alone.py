"""The product, and beside it a socket that hands events straight to its hub: the fan-out without database and bell."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from luckygas.asgi import application as product
from realtime.frames import Encoded
from realtime.hub import Hub
from realtime.models import Event

PATH = "/bench/publish"


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "websocket" and scope["path"] == PATH:
        await publish(receive, send)
    else:
        await product(scope, receive, send)


async def publish(receive: Any, send: Any) -> None:
    """Each message is a round of the hub: one event a line."""
    await receive()
    await send({"type": "websocket.accept"})
    hub = await Hub.current()
    while (message := await receive())["type"] == "websocket.receive":
        hub.deliver([encoded(hub.cursor, line) for line in message["text"].splitlines()])


def encoded(seq: int, name: str) -> Encoded:
    """An event that stands at the hub's cursor, which must not pass the end of the log."""
    data = {"customer_id": 17, "name": name}
    return Encoded.of(
        Event(seq=seq, type="customer.updated", channels=["customers"], data=data, created_at=timezone.now())
    )
