"""A cache on a real Redis: whatever it says is an answer, and heals what failed before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache

from web import caching, redis_cache
from web.redis_cache import Client

pytestmark = pytest.mark.servers


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """The shared cache's own, after a failure; who asks next is the one that tries."""
    shared = caching.shared_cache()
    assert shared is not None
    monkeypatch.setattr(redis_cache, "REST_SECONDS", 0.0)
    shared._cache.breaker.heard(well=False)
    monkeypatch.setattr(redis_cache, "REST_SECONDS", 60.0)
    yield shared._cache
    shared._cache.breaker.heard(well=True)


def test_to_count_in_a_key_that_is_not_there_heals(client: Client) -> None:
    with pytest.raises(ValueError, match="not found"):
        cache.incr("nothing-of-this-name")
    assert cache.add("nothing-of-this-name", 1, 1)


def test_what_is_counted_in_ends_when_it_was_to_end(client: Client) -> None:
    cache.add("counted-in", 1, 60)
    assert (cache.incr("counted-in"), cache.incr("counted-in", 3), cache.get("counted-in")) == (2, 5, 5)
    assert 0 < client.get_client().ttl(cache.make_key("counted-in")) <= 60


@pytest.mark.parametrize("held", [b"\xff\xfe", b"{", b"", b'"not a number"'])
def test_what_is_not_of_ours_is_a_miss_and_heals(client: Client, held: bytes) -> None:
    client.get_client().set(cache.make_key("foreign"), held)
    assert cache.get("foreign", "miss") == ("not a number" if held.startswith(b'"') else "miss")
    assert cache.has_key("foreign")


def test_nothing_is_asked_while_it_rests(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    client.breaker.heard(well=False)
    asked: list[Any] = []
    monkeypatch.setattr(client, "get_client", lambda *args, **kwargs: asked.append(args))
    assert (cache.get("anything", "miss"), asked) == ("miss", [])
