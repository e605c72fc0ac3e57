from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator

import pytest
from asgiref.sync import sync_to_async
from channels.layers import channel_layers, get_channel_layer
from pytest_django import Settings

from luckygas.testing.servers import free_port
from realtime import bell


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


def test_a_frozen_redis_holds_the_ringer_up_for_a_second_and_no_longer(frozen_redis: None) -> None:
    started = time.monotonic()
    bell.ring()
    assert time.monotonic() - started < bell.RING_SECONDS + 1


def test_without_redis_the_ringer_goes_on_at_once(settings: Settings) -> None:
    use_redis(settings, free_port())
    started = time.monotonic()
    bell.ring()
    channel_layers.backends.clear()
    assert time.monotonic() - started < bell.RING_SECONDS + 1


@pytest.mark.servers
async def test_a_process_without_a_hub_is_heard_by_one_with() -> None:
    layer = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add(bell.GROUP, channel)
    await sync_to_async(bell.ring)()
    async with asyncio.timeout(2):
        assert (await layer.receive(channel))["type"] == "bell"
