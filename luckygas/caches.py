"""The caches, by Django's framework. Nothing here is read from the environment."""

from __future__ import annotations

from typing import Any

LOCAL: dict[str, Any] = {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}


def caches(redis_url: str) -> dict[str, Any]:
    """`default` is shared by all processes, or off: what only one of them forgets would be stale in the others.

    `switches` is django-waffle's: its own lookups, too, know of a change within a second.
    """
    return {
        "default": _redis(redis_url) if redis_url else {"BACKEND": "django.core.cache.backends.dummy.DummyCache"},
        "switches": LOCAL | {"LOCATION": "switches", "TIMEOUT": 1},
    }


def _redis(url: str) -> dict[str, Any]:
    # A Redis that hangs costs a request no more than this (seconds); then it is left alone for a while.
    limits = {"socket_timeout": 0.2, "socket_connect_timeout": 0.2, "max_connections": 10_000}
    return {
        "BACKEND": "web.caching.ForgivingRedis", "LOCATION": url, "KEY_PREFIX": "luckygas",
        "OPTIONS": limits | {"serializer": "web.caching.Json"},
    }  # fmt: skip
