"""A real WebSocket client for the tests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from django.contrib.auth.models import User
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from accounts.api.tokens import Refresh
from luckygas.testing.waiting import PATIENCE_SECONDS
from realtime.connection import SendQueue


def token_for(user: User | None) -> str:
    """An access token with the claims that `auth/token/` sets."""
    assert user is not None
    return str(Refresh.for_user(user).access_token)


async def _never_sends(text: str) -> None:
    await asyncio.Event().wait()


def unread_queue() -> SendQueue:
    """A `FrameWriter` that sends nothing, as if the client did not read."""
    return SendQueue(_never_sends)


def order_frames(frames: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [frame for frame in frames if frame.get("channel") == "orders"]


class Client:
    """An open socket. Methods that wait for a frame raise TimeoutError after PATIENCE_SECONDS without one."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.welcome: dict[str, Any] = {}

    async def receive(self) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE_SECONDS):
            frame: dict[str, Any] = json.loads(await self.socket.recv())
            return frame

    async def send(self, **message: Any) -> None:
        await self.socket.send(json.dumps(message))

    async def request(self, **message: Any) -> dict[str, Any]:
        """Sends a message and returns the next frame, of any type."""
        await self.send(**message)
        return await self.receive()

    async def answer(self, kind: str, **message: Any) -> dict[str, Any]:
        """Sends a message and returns the next frame of type `kind`, skipping others."""
        await self.send(**message)
        return await self.until(kind)

    async def until(self, kind: str, seconds: float | None = None) -> dict[str, Any]:
        """Returns the next frame of type `kind`, skipping others. Raises TimeoutError after `seconds`, if given."""
        async with asyncio.timeout(seconds):
            while (frame := await self.receive())["type"] != kind:
                pass
            return frame

    async def events(self, count: int) -> list[dict[str, Any]]:
        """Returns the next `count` frames, of any type."""
        return [await self.receive() for _ in range(count)]

    async def orders(self, count: int) -> list[dict[str, Any]]:
        """Returns the next `count` events of the channel `orders`, skipping other frames."""
        found: list[dict[str, Any]] = []
        while len(found) < count:
            found += order_frames([await self.receive()])
        return found

    async def everything(self) -> list[dict[str, Any]]:
        """Returns the frames up to now. Sends a heartbeat, because its answer follows all frames written before."""
        await self.send(type="heartbeat")
        frames = []
        while (frame := await self.receive())["type"] != "heartbeat":
            frames.append(frame)
        return frames

    async def closed(self, seconds: float = PATIENCE_SECONDS) -> int:
        """Reads until the server closes the socket and returns the close code. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            with suppress(ConnectionClosed):
                while True:
                    await self.socket.recv()
            await self.socket.wait_closed()
        assert self.socket.close_code is not None
        return self.socket.close_code


@asynccontextmanager
async def open_client(url: str, **headers: str) -> AsyncIterator[Client]:
    """A connected client. `welcome` is its first frame: the connection frame or an error."""
    async with connect(url, additional_headers=headers, compression=None, proxy=None) as socket:
        client = Client(socket)
        client.welcome = await client.receive()
        yield client
