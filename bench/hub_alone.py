"""The product with an extra socket that passes events straight to the hub: fan-out without database and wake-ups."""

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
    """Delivers each message as one round of the hub, with one event per line."""
    await receive()
    await send({"type": "websocket.accept"})
    hub = await Hub.current()
    while (message := await receive())["type"] == "websocket.receive":
        hub.deliver([encode(hub.cursor, line) for line in message["text"].splitlines()])


def encode(seq: int, name: str) -> Encoded:
    """An encoded event whose id is the hub's cursor: a higher id would move the cursor beyond the end of the log."""
    data = {"customer_id": 17, "name": name}
    return Encoded.of(
        Event(seq=seq, type="customer.updated", channels=["customers"], data=data, created_at=timezone.now())
    )
