"""The paths of the sockets."""

from __future__ import annotations

from channels.routing import URLRouter
from channels.sessions import SessionMiddlewareStack
from django.urls import path, re_path

from realtime.consumer import EventConsumer

BASE = "api/v1/websocket/ws"

websocket = SessionMiddlewareStack(
    URLRouter(
        [
            path(BASE, EventConsumer.as_asgi(endpoint="ws")),
            path(f"{BASE}/driver", EventConsumer.as_asgi(endpoint="driver")),
            path(f"{BASE}/office", EventConsumer.as_asgi(endpoint="office")),
            path(f"{BASE}/track/<str:token>", EventConsumer.as_asgi(endpoint="track")),
            re_path("", EventConsumer.as_asgi(endpoint="nowhere")),
        ]
    )
)
