"""A cache on a real Redis: what it says is an answer, and where it fails that is a miss."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from redis import Redis as Client

from luckygas import libraries
from luckygas.testing.servers import Redis, running

pytestmark = pytest.mark.servers


@pytest.fixture
def redis(settings: Any) -> Iterator[Redis]:
    with running(Redis()) as server:
        settings.CACHES = libraries.caches(server.url)
        yield server


def test_what_is_counted_in_ends_when_it_was_to_end(redis: Redis) -> None:
    with pytest.raises(ValueError, match="not found"):
        cache.incr("counted-in")
    cache.add("counted-in", 1, 60)
    assert (cache.incr("counted-in"), cache.incr("counted-in", 3), cache.get("counted-in")) == (2, 5, 5)
    assert 0 < Client.from_url(redis.url).ttl(cache.make_key("counted-in")) <= 60


@pytest.mark.parametrize("held", [b"\xff\xfe", b"{", b""])
def test_what_is_not_of_ours_is_a_miss(redis: Redis, held: bytes) -> None:
    Client.from_url(redis.url).set(cache.make_key("foreign"), held)
    assert cache.get("foreign") is None


def test_a_redis_that_is_down_is_a_miss_and_left_alone_for_a_second(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.set("kept", 1, 60)
    redis.kill()
    assert (cache.get("kept"), cache.add("kept", 1), cache.delete("kept"), cache.has_key("kept")) == (
        None,
        *[False] * 3,
    )
    redis.start()
    cache.set("kept", 2, 60)
    assert cache.get("kept") is None
    monkeypatch.setattr("web.caching.monotonic", lambda: float("inf"))
    cache.set("kept", 3, 60)
    assert cache.get("kept") == 3
