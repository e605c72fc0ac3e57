"""The URL paths of sockets."""

from __future__ import annotations

from typing import Any

from channels.routing import URLRouter
from channels.sessions import SessionMiddlewareStack
from django.urls import path, re_path

from realtime.consumer import EventConsumer

BASE = "api/v1/websocket/ws"


def socket(endpoint: str) -> Any:
    """The ASGI application of an endpoint. Returns Any, because `path()` is typed for HTTP views only."""
    return lambda scope, receive, send: EventConsumer(endpoint)(scope, receive, send)


websocket = SessionMiddlewareStack(
    URLRouter(
        [
            path(BASE, socket("ws")),
            path(f"{BASE}/driver", socket("driver")),
            path(f"{BASE}/office", socket("office")),
            path(f"{BASE}/track/<str:token>", socket("track")),
            re_path("", socket("nowhere")),  # any other path: accepted, refused with an error frame and closed
        ]
    )
)
