"""The cache: Django's Redis cache, and answers cached for a minute or until their data changes.

Without REDIS_URL nothing is cached. A Redis failure counts as a miss. A command waits at most 0.2 s for a connection
and 0.2 s for the answer. After a failure none is sent for REST_SECONDS.

Code that changes data calls `invalidate`, which gives that kind of answer a new version after the commit. Answers are
stored under the version that was read before their queries, so a slow reader writes to a key that nobody reads any
more. If a process is killed between the commit and the new version, or cannot reach Redis, answers are stale for at
most SECONDS.
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
# How long no command is sent to Redis after a failure.
REST_SECONDS = 1.0
# The number of keys that Redis examines for one SCAN command.
SCAN = 1000
STATISTICS = "statistics"
KINDS = (STATISTICS,)
# How long an answer is cached.
SECONDS = 60
# Prefixes of our keys; web.throttling uses the same cache.
ANSWER, VERSION = "answer:", "version:"
# The maximum number of keys that `size` counts and `clear` deletes.
MAX_KEYS = 10_000


class Json:
    """Serializes values as JSON. Unpickling would execute code that an attacker wrote into Redis."""

    def dumps(self, value: Any) -> bytes:
        return json.dumps(value, cls=DjangoJSONEncoder, separators=(",", ":")).encode()

    def loads(self, data: bytes) -> Any:
        try:
            return json.loads(data)
        except ValueError:  # another program wrote it: a miss
            return None


class ForgivingClient(Redis):
    """Returns None, as for a missing key, when Redis fails and for REST_SECONDS after that. Thread-safe."""

    rests_until = 0.0

    def execute_command(self, *args: Any, **options: Any) -> Any:
        if monotonic() < self.rests_until:
            return None
        try:
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        except (RedisError, OSError) as error:
            log.warning("The cache does not answer (%s); not used for the next second.", type(error).__name__)
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
    """One client for all threads. Under ASGI each request has its own cache object, and would open a connection."""
    return OneClient(servers, **options)


class ForgivingRedis(RedisCache):
    @cached_property
    def _cache(self) -> OneClient:
        return client(tuple(self._servers), **self._options)  # type: ignore[attr-defined]


def cached_answer(kind: str, parts: tuple[object, ...], make: Callable[[], Any]) -> Any:
    """Returns the cached result of `make` for the same `parts`, or calls `make`. The result must have only JSON types.

    `parts` are all inputs of the answer besides the rows and the language: the role, the period, the address.
    """
    shared = shared_cache()
    if shared is None or not flags.is_on(flags.CACHING):
        return make()
    version = shared.get_or_set(VERSION + kind, partial(token_hex, 8), None)
    digest = hashlib.sha256(repr((get_language(), *parts)).encode()).hexdigest()[:32]
    cached = shared.get(key := f"{ANSWER}{kind}:{version}:{digest}")
    (metrics.MISSES if cached is None else metrics.HITS).labels(kind).inc()
    if cached is None:
        cached = make()
        shared.set(key, cached, SECONDS)
    return cached


def invalidate(kind: str) -> None:
    """Invalidates the cached answers of this kind after the commit."""
    once_after_commit(_set_new_version, kind)


def _set_new_version(*kinds: str) -> None:
    if (shared := shared_cache()) is not None:
        for kind in set(kinds):
            shared.set(VERSION + kind, token_hex(8), None)


def shared_cache() -> ForgivingRedis | None:
    """The cache that all processes share; None if none is configured."""
    backend = caches[DEFAULT_CACHE_ALIAS]
    return backend if isinstance(backend, ForgivingRedis) else None


def size(kind: str) -> int | None:
    """The number of cached answers of this kind, at most MAX_KEYS. None if the cache does not answer."""
    return _with_keys(f"{kind}:*", lambda redis, keys: len(keys))


def clear(pattern: str) -> int | None:
    """Deletes the answers whose keys match `pattern` (such as `statistics:*`), at most MAX_KEYS.

    Returns the number of deleted answers, or None if the cache does not answer.
    """
    return _with_keys(pattern, lambda redis, keys: redis.unlink(*keys) if keys else 0)


def _with_keys(pattern: str, work: Callable[[Redis, list[bytes]], Any]) -> int | None:
    """Calls `work` with a client and the matching keys, at most MAX_KEYS, and returns its result.

    Returns 0 without a cache, and None if the cache does not answer.
    """
    if (shared := shared_cache()) is None:
        return 0
    # Not a ForgivingClient, because that hides failures.
    redis = Redis(connection_pool=shared._cache.get_client().connection_pool)
    try:
        found: Iterable[bytes] = redis.scan_iter(match=shared.make_key(ANSWER + pattern), count=SCAN)
        return int(work(redis, list(islice(found, MAX_KEYS))))
    except RedisError:
        return None
