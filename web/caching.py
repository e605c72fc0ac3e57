"""The cache: Django's own on Redis, and answers kept in it for a minute, until something they tell of changes.

A Redis that fails is a miss: a request waits for it once, 0.2 s.

Whoever changes something calls `changed`, which gives the kind of answer a new version after the commit. Answers stand
under the version that was read before their queries: a slow reader writes where nobody looks any more. Who dies between
the commit and the new version, or does not reach Redis, leaves answers that are at most SECONDS old.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterable
from functools import cache, cached_property, partial
from itertools import islice
from secrets import token_hex
from time import monotonic
from typing import Any

from django.core.cache import DEFAULT_CACHE_ALIAS, caches
from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from django.core.serializers.json import DjangoJSONEncoder
from django.utils.translation import get_language
from redis import Redis, RedisError

from web import flags, metrics
from web.after_commit import once_after_commit

log = logging.getLogger(__name__)
# After a failure it is left alone for so long.
REST_SECONDS = 1.0
# Keys that one command looks through.
SCAN = 1000
STATISTICS = "statistics"
KINDS = (STATISTICS,)
SECONDS = 60
# Others count requests in the same cache.
ANSWER, VERSION = "answer:", "version:"
# What `size` and `clear` look through at most.
MOST_KEYS = 10_000


class Json:
    """Values as text: a pickle would run whatever somebody wrote into Redis."""

    def dumps(self, value: Any) -> bytes:
        return json.dumps(value, cls=DjangoJSONEncoder, separators=(",", ":")).encode()

    def loads(self, data: bytes) -> Any:
        try:
            return json.loads(data)
        except ValueError:  # not ours: a miss
            return None


class ForgivingClient(Redis):
    """Answers None, as for a key that is not there, where Redis fails and for a second after. For any thread."""

    rests_until = 0.0

    def execute_command(self, *args: Any, **options: Any) -> Any:
        if monotonic() < self.rests_until:
            return None
        try:
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        except (RedisError, OSError) as error:
            log.warning("The cache does not answer (%s); it is left alone for a second.", type(error).__name__)
            self.rests_until = monotonic() + REST_SECONDS
            return None


class OneClient(RedisCacheClient):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._one = ForgivingClient(connection_pool=self._get_connection_pool(write=True))  # type: ignore[attr-defined]

    def get_client(self, key: Any = None, *, write: bool = False) -> ForgivingClient:
        return self._one


@cache
def client(servers: tuple[str, ...], **options: Any) -> OneClient:
    """One for all threads: under ASGI each request has a cache of its own, and would open a connection of its own."""
    return OneClient(servers, **options)


class ForgivingRedis(RedisCache):
    @cached_property
    def _cache(self) -> OneClient:
        return client(tuple(self._servers), **self._options)  # type: ignore[attr-defined]


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
    return _of_keys(f"{kind}:*", lambda redis, keys: len(keys))


def clear(pattern: str) -> int | None:
    """Forgets the answers whose keys match (`statistics:*`), MOST_KEYS at most; how many. None: no answer."""
    return _of_keys(pattern, lambda redis, keys: redis.unlink(*keys) if keys else 0)


def _of_keys(pattern: str, work: Callable[[Redis, list[bytes]], Any]) -> int | None:
    if (shared := shared_cache()) is None:
        return 0
    # Not forgiving: who asks is told that it does not answer.
    redis = Redis(connection_pool=shared._cache.get_client().connection_pool)
    try:
        found: Iterable[bytes] = redis.scan_iter(match=shared.make_key(ANSWER + pattern), count=SCAN)
        return int(work(redis, list(islice(found, MOST_KEYS))))
    except RedisError:
        return None
