"""Answers kept in Django's cache for a minute, until something they tell of changes (README, “Caching”).

Whoever changes something calls `changed`, which gives the kind of answer a new version after the commit. Answers stand
under the version that was read before their queries: a slow reader writes where nobody looks any more. Who dies between
the commit and the new version, or does not reach Redis, leaves answers that are at most SECONDS old.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from secrets import token_hex
from typing import Any

from django.core.cache import DEFAULT_CACHE_ALIAS, caches
from django.utils.translation import get_language
from redis import RedisError

from web import flags, metrics
from web.after_commit import once_after_commit
from web.redis_cache import ForgivingRedis

STATISTICS = "statistics"
KINDS = (STATISTICS,)
SECONDS = 60
# Others count requests in the same cache.
ANSWER, VERSION = "answer:", "version:"
# What `size` and `clear` look through at most.
MOST_KEYS = 10_000


def answer(kind: str, parts: tuple[object, ...], make: Callable[[], Any]) -> Any:
    """What `make` returned when it was last asked for the same `parts`, unless something changed since; JSON.

    `parts` are all that the answer depends on besides the rows: the role, the period, the address.
    """
    shared = shared_cache()
    if shared is None or not flags.on(flags.CACHING):
        return make()
    version = shared.get_or_set(VERSION + kind, partial(token_hex, 8), None)
    told = hashlib.sha256(repr((get_language(), *parts)).encode()).hexdigest()[:32]
    kept = shared.get(key := f"{ANSWER}{kind}:{version}:{told}")
    (metrics.MISSES if kept is None else metrics.HITS).labels(kind).inc()
    if kept is None:
        kept = make()
        shared.set(key, kept, SECONDS)
    return kept


def changed(kind: str) -> None:
    """Answers of this kind are no longer true once the transaction is committed."""
    once_after_commit(_renew, kind)


def _renew(*kinds: str) -> None:
    if (shared := shared_cache()) is not None:
        for kind in set(kinds):
            shared.set(VERSION + kind, token_hex(8), None)


def shared_cache() -> ForgivingRedis | None:
    """The cache of all processes; None where there is none, and nothing is kept."""
    backend = caches[DEFAULT_CACHE_ALIAS]
    return backend if isinstance(backend, ForgivingRedis) else None


def size(kind: str) -> int | None:
    """How many answers are kept, MOST_KEYS at most; None: the cache does not answer."""
    return _of_keys(f"{kind}:*", len)


def clear(pattern: str) -> int | None:
    """Forgets the answers whose keys match (`statistics:*`), MOST_KEYS at most; how many. None: no answer."""
    return _of_keys(pattern, shared.remove if (shared := shared_cache()) else len)


def _of_keys(pattern: str, work: Callable[[list[bytes]], int]) -> int | None:
    shared = shared_cache()
    try:
        return work(shared.matching(ANSWER + pattern, MOST_KEYS)) if shared else 0
    except RedisError:
        return None
