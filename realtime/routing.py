"""The paths of the sockets."""

from __future__ import annotations

from functools import partial
from typing import Any

from channels.routing import URLRouter
from channels.sessions import SessionMiddlewareStack
from django.urls import path, re_path

from realtime.consumer import serve

BASE = "api/v1/websocket/ws"


def socket(endpoint: str) -> Any:
    """What `path` takes: Django's types know views of HTTP alone."""
    return partial(serve, endpoint)


websocket = SessionMiddlewareStack(
    URLRouter(
        [
            path(BASE, socket("ws")),
            path(f"{BASE}/driver", socket("driver")),
            path(f"{BASE}/office", socket("office")),
            path(f"{BASE}/track/<str:token>", socket("track")),
            re_path("", socket("nowhere")),
        ]
    )
)
