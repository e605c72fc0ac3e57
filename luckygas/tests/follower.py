"""A client that reconnects with its cursor, each time to the next server."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException


@dataclass(frozen=True, slots=True)
class Arrival:
    """One received event: when it came (`at`) and when its connection began (`connected`), in Unix seconds."""

    id: int
    at: float
    connected: float


class Follower:
    """A WebSocket client. `roots`: the servers; `path`: the endpoint and its query.

    `first`: the last event id when it first connected; `arrivals`: all received events; `lost`: how often the server
    could not resume from its cursor.
    """

    def __init__(self, name: str, path: str, roots: Sequence[str]) -> None:
        self.name, self.path, self.roots = name, path, roots
        self.arrivals: list[Arrival] = []
        self.channels: frozenset[str] = frozenset()
        self.first, self.cursor, self.epoch = 0, 0, ""
        self.lost = self.connections = 0
        self.connected = asyncio.Event()

    async def follow(self) -> None:
        """Receives events and reconnects until cancelled."""
        for attempt in count():
            try:
                await self._listen(self.roots[attempt % len(self.roots)])
            except (OSError, TimeoutError, WebSocketException):
                await asyncio.sleep(random.uniform(0.05, 0.3))

    async def _listen(self, root: str) -> None:
        since = f"&since={self.cursor}&epoch={self.epoch}" if self.epoch else ""
        async with connect(root + self.path + since, open_timeout=5, compression=None, proxy=None) as socket:
            self._handle_welcome(json.loads(await socket.recv()))
            connected = time.time()
            async for text in socket:
                frame = json.loads(text)
                if "id" in frame:
                    self.cursor = frame["id"]
                    self.arrivals.append(Arrival(frame["id"], time.time(), connected))

    def _handle_welcome(self, frame: dict[str, Any]) -> None:
        assert frame["type"] == "connection", frame
        self.connections += 1
        self.channels = frozenset(frame["channels"])
        if not self.epoch:
            self.first = self.cursor = frame["last_event_id"]
            self.epoch = frame["epoch"]
        else:
            self.lost += frame["recovered"] is not True
        self.connected.set()
