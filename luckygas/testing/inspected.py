"""The site with `GET /inspect`, which returns counts of the process's objects for tests of leaks."""

from __future__ import annotations

import asyncio
import gc
import json
import os
from typing import Any

from luckygas.asgi import application as site
from realtime.hub import Hub


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http" or scope["path"] != "/inspect":
        await site(scope, receive, send)
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": json.dumps(count_objects()).encode()})


def count_objects() -> dict[str, int]:
    """Counts the objects that a closed connection must not leave behind."""
    gc.collect()  # uncollected cycles are not a leak
    hubs = Hub.instances()
    readers = [hub.readers for hub in hubs]
    return {
        "readers": sum(len(each.open) for each in readers),
        "channels": sum(len(each.by_channel) for each in readers),
        "tasks": len(asyncio.all_tasks()),
        "files": len(os.listdir("/proc/self/fd")),
        "objects": len(gc.get_objects()),
    }
