from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from asgiref.sync import sync_to_async
from channels.layers import channel_layers, get_channel_layer
from pytest_django import Settings

from luckygas.testing.site import environment
from realtime import outbox


@pytest.fixture
def frozen_redis(settings: Settings) -> Iterator[None]:
    """A Redis that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        use_redis(settings, listener.getsockname()[1])
        yield
    channel_layers.backends.clear()


def use_redis(settings: Settings, port: int) -> None:
    backend = "channels_redis.pubsub.RedisPubSubChannelLayer"
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": backend, "CONFIG": {"hosts": [f"redis://127.0.0.1:{port}/0"]}}}
    channel_layers.backends.clear()


def test_a_frozen_redis_holds_nobody_up_and_the_exit_for_two_seconds_at_most(frozen_redis: None) -> None:
    started = time.monotonic()
    for _ in range(50):
        outbox.ring()
    assert time.monotonic() - started < 0.2
    outbox.ringer.submit(time.monotonic).result()
    assert time.monotonic() - started < 2 * outbox.RING_SECONDS + 0.5


def test_bells_that_wait_are_one(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[Any] = []

    async def slow(message: Any) -> None:
        rung.append(message)
        await asyncio.sleep(0.1)

    use_redis(settings, 1)
    monkeypatch.setattr(outbox, "broadcast", slow)
    for _ in range(50):
        outbox.ring()
    outbox.ringer.submit(time.monotonic).result()
    assert 1 <= len(rung) <= 2


@pytest.mark.servers
def test_a_process_that_ends_at_once_has_rung() -> None:
    """In a process of its own, whose last act is the bell."""
    code = "import django; django.setup(); from realtime import outbox; outbox.ring()"
    layer = redis.Redis.from_url(os.environ["REDIS_URL"])
    with layer.pubsub(ignore_subscribe_messages=True) as heard:  # type: ignore[no-untyped-call]
        heard.psubscribe("*")
        heard.get_message(timeout=1)
        subprocess.run([sys.executable, "-c", code], env=environment(), check=True, timeout=30)
        assert heard.get_message(timeout=1) is not None
    layer.close()


@pytest.mark.servers
async def test_a_process_without_a_hub_is_heard_by_one_with() -> None:
    layer = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add(outbox.GROUP, channel)
    await sync_to_async(outbox.ring)()
    async with asyncio.timeout(2):
        assert (await layer.receive(channel))["type"] == "bell"
