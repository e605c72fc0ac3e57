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
from django.db import transaction
from pytest_django import Settings

from luckygas.testing.site import environment
from notifications.models import NotificationHistory
from orders.tests.factories import make_order
from realtime import outbox
from realtime.models import Outbox
from realtime.outbox import announce


@pytest.fixture
def frozen_redis(settings: Settings) -> Iterator[None]:
    """A Redis that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        use_redis(settings, listener.getsockname()[1])
        yield
    channel_layers.backends.clear()


def use_redis(settings: Settings, port: int) -> None:
    backend = "channels_redis.pubsub.RedisPubSubChannelLayer"
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": backend, "CONFIG": {"hosts": [f"redis://127.0.0.1:{port}/0"]}}}
    channel_layers.backends.clear()


def test_frozen_redis_delays_no_caller_and_the_exit_by_two_seconds_at_most(frozen_redis: None) -> None:
    started = time.monotonic()
    for _ in range(50):
        outbox.wake_hubs()
    assert time.monotonic() - started < 0.2
    outbox.bell_thread.submit(time.monotonic).result()
    assert time.monotonic() - started < 2 * outbox.TIMEOUT_SECONDS + 0.5


def test_bells_of_many_commits_are_sent_as_one_or_two(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []

    async def slow(message: Any) -> None:
        sent.append(message)
        await asyncio.sleep(0.1)

    use_redis(settings, 1)
    monkeypatch.setattr(outbox, "broadcast", slow)
    for _ in range(50):
        outbox.wake_hubs()
    outbox.bell_thread.submit(time.monotonic).result()
    assert 1 <= len(sent) <= 2


@pytest.mark.servers
@pytest.mark.parametrize("act", ["wake_hubs()", "import atexit; atexit.register(wake_hubs)"])
def test_process_sends_its_bell_before_it_exits(act: str) -> None:
    """The SMS sender wakes hubs in `atexit`, where it finishes its messages."""
    code = f"import django; django.setup(); from realtime.outbox import wake_hubs; {act}"
    layer = redis.Redis.from_url(os.environ["REDIS_URL"])
    with layer.pubsub(ignore_subscribe_messages=True) as messages:  # type: ignore[no-untyped-call]
        messages.psubscribe("*")
        messages.get_message(timeout=1)
        subprocess.run([sys.executable, "-c", code], env=environment(), check=True, timeout=30)
        assert messages.get_message(timeout=1) is not None
    layer.close()


@pytest.mark.servers
async def test_bell_from_a_process_without_a_hub_wakes_hubs() -> None:
    layer = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add(outbox.GROUP, channel)
    await sync_to_async(outbox.wake_hubs)()
    async with asyncio.timeout(2):
        assert (await layer.receive(channel))["type"] == "bell"


@pytest.fixture
def bells() -> Iterator[list[str]]:
    """Records each bell of this process, as the subjects committed by then, joined with commas."""
    recorded: list[str] = []

    def wake() -> None:
        recorded.append(",".join(Outbox.objects.order_by("id").values_list("subject", flat=True)))

    outbox.register(wake)
    yield recorded
    outbox.unregister(wake)


@pytest.mark.django_db(transaction=True)
def test_transaction_sends_one_bell_after_its_commit(bells: list[str]) -> None:
    with transaction.atomic():
        announce("customer.updated", "customer:1", {"name": "王"})
        announce("customer.updated", "customer:2", {"name": "李"})
        assert bells == []
    assert bells == ["customer:1,customer:2"]


@pytest.mark.django_db(transaction=True)
def test_rollback_sends_no_bell(bells: list[str]) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        announce("customer.updated", "customer:1", {"name": "王"})
        raise ZeroDivisionError
    assert (bells, Outbox.objects.count()) == ([], 0)


@pytest.mark.django_db(transaction=True)
def test_rolled_back_savepoint_does_not_suppress_the_bell(bells: list[str]) -> None:
    with transaction.atomic():
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            announce("customer.updated", "customer:1", {"name": "王"})
            raise ZeroDivisionError
        announce("customer.updated", "customer:2", {"name": "李"})
    assert bells == ["customer:2"]


@pytest.mark.django_db(transaction=True)
def test_bell_is_sent_before_the_sms() -> None:
    order, statuses_at_bell = make_order(), []

    def wake() -> None:
        statuses_at_bell.append(list(NotificationHistory.objects.values_list("status", flat=True)))

    outbox.register(wake)
    order.transition_to("confirmed")
    outbox.unregister(wake)
    assert statuses_at_bell[0] == ["pending"]
