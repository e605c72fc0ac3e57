"""Django's Redis cache, made harmless: whatever is wrong with Redis is a miss, and costs a request 0.2 s at most."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Iterator
from functools import cache, cached_property
from itertools import islice
from time import monotonic
from typing import Any

from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from django.core.serializers.json import DjangoJSONEncoder
from redis import RedisError

log = logging.getLogger(__name__)

# After a failure nobody asks for so long; then one does, for all.
REST_SECONDS = 1.0
# An answer that took longer is a failure too: a request asks several times.
SLOW_SECONDS = 0.1
# Of what looks through all keys, that many in one command.
LONG_SECONDS = 10.0
SCAN = 1000
# Django asks whether the key is there and then counts: two journeys, and one that ends in between is there for ever.
COUNT = "return redis.call('EXISTS', KEYS[1]) == 1 and redis.call('INCRBY', KEYS[1], ARGV[1])"


class Json:
    """What is kept, as text: a pickle would run whatever somebody wrote into Redis."""

    def dumps(self, value: Any) -> bytes:
        return json.dumps(value, cls=DjangoJSONEncoder, separators=(",", ":")).encode()

    def loads(self, data: bytes) -> Any:
        return json.loads(data)


class Breaker:
    """Keeps callers from a server that does not answer. Used by all threads of the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._failed = False
        self._until = 0.0

    def lets(self) -> bool:
        with self._lock:
            now = monotonic()
            if self._failed and now < self._until:
                return False
            self._until = now + REST_SECONDS
            return True

    def heard(self, *, well: bool) -> None:
        with self._lock:
            self._failed = not well
            self._until = monotonic() + REST_SECONDS


class Client(RedisCacheClient):
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.breaker = Breaker()

    def get_client(self, key: Any = None, *, write: bool = False) -> Any:
        """One object; Django makes one each time, and it holds nothing but the pool of connections."""
        return self._redis

    @cached_property
    def _redis(self) -> Any:
        return super().get_client(write=True)

    def attempt(self, miss: Any, call: Callable[..., Any], *args: Any, patience: float = SLOW_SECONDS) -> Any:
        """What `call` returns; `miss` where Redis fails, or is left alone. `patience`: what is not slow yet."""
        if not self.breaker.lets():
            return miss
        begun = monotonic()
        try:
            found = call(*args)
        except (RedisError, OSError) as error:
            self.breaker.heard(well=False)
            log.warning("The cache does not answer (%s); it is left alone for a second.", type(error).__name__)
            return miss
        except ValueError:  # it answered: there is no such key to count in, or what it holds is not of ours
            found = miss
        self.breaker.heard(well=monotonic() - begun < patience)
        return found

    def add(self, key: Any, value: Any, timeout: Any) -> Any:
        return self.attempt(False, super().add, key, value, timeout)

    def get(self, key: Any, default: Any) -> Any:
        return self.attempt(default, super().get, key, default)

    def set(self, key: Any, value: Any, timeout: Any) -> None:
        self.attempt(None, super().set, key, value, timeout)

    def touch(self, key: Any, timeout: Any) -> Any:
        return self.attempt(False, super().touch, key, timeout)

    def delete(self, key: Any) -> Any:
        return self.attempt(False, super().delete, key)

    def get_many(self, keys: Any) -> Any:
        return self.attempt({}, super().get_many, list(keys))

    def has_key(self, key: Any) -> Any:
        return self.attempt(False, super().has_key, key)

    def incr(self, key: Any, delta: Any) -> Any:
        client = self.get_client(key, write=True)
        if (value := self.attempt(None, client.eval, COUNT, 1, key, delta)) is None:
            raise ValueError(f"Key '{key}' not found.")  # what Django's caches say of a miss
        return value

    def set_many(self, data: Any, timeout: Any) -> None:
        self.attempt(None, super().set_many, data, timeout)

    def delete_many(self, keys: Any) -> None:
        self.attempt(None, super().delete_many, list(keys))

    def clear(self) -> Any:
        return self.attempt(False, super().clear)

    def matching(self, pattern: str) -> Iterator[bytes]:
        """The keys that match, as Redis matches. Raises RedisError."""
        return iter(self.get_client().scan_iter(match=pattern, count=SCAN))


@cache
def client(servers: tuple[str, ...], **options: Any) -> Client:
    """One for all threads: under ASGI each request has a thread, and Django's would open a connection for each."""
    return Client(servers, **options)


class ForgivingRedis(RedisCache):
    @cached_property
    def _cache(self) -> Client:
        return client(tuple(self._servers), **self._options)  # type: ignore[attr-defined]

    def count(self, pattern: str, most: int) -> int | None:
        """How many of our keys match, `most` at most; None: Redis does not answer."""
        counted: int | None = self._cache.attempt(
            None, lambda: sum(1 for _ in self._matching(pattern, most)), patience=LONG_SECONDS
        )
        return counted

    def remove(self, pattern: str, most: int) -> int | None:
        """Deletes our keys that match, `most` at most; how many. None: Redis does not answer."""

        def unlink() -> int:
            keys = list(self._matching(pattern, most))
            return int(self._cache.get_client(write=True).unlink(*keys)) if keys else 0

        removed: int | None = self._cache.attempt(None, unlink, patience=LONG_SECONDS)
        return removed

    def _matching(self, pattern: str, most: int) -> Iterator[bytes]:
        return islice(self._cache.matching(self.make_key(pattern)), most)
