"""The older system's design: a dictionary of sockets, `send_json` to each, Redis pub/sub between processes."""

from __future__ import annotations

import asyncio
import json
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from redis.asyncio import Redis

sockets: dict[str, WebSocket] = {}


async def listen() -> None:
    pubsub = Redis.from_url(os.environ["REDIS_URL"], socket_timeout=None).pubsub()
    await pubsub.subscribe("orders")
    async for message in pubsub.listen():
        if message["type"] == "message":
            event = json.loads(message["data"])
            for socket in list(sockets.values()):
                await socket.send_json(event)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    task = asyncio.create_task(listen())
    yield
    task.cancel()


app = FastAPI(lifespan=lifespan)


@app.websocket("/ws")
async def ws(socket: WebSocket) -> None:
    await socket.accept()
    key = str(uuid.uuid4())
    sockets[key] = socket
    try:
        while True:
            await socket.receive_text()
    except WebSocketDisconnect:
        del sockets[key]
