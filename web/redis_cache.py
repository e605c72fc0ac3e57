"""Django's Redis cache, where a Redis that fails is a miss: a request waits for it once, 0.2 s (`luckygas.caches`)."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from functools import cache, cached_property
from itertools import islice
from time import monotonic
from typing import Any

from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from django.core.serializers.json import DjangoJSONEncoder
from redis import Redis, RedisError

log = logging.getLogger(__name__)
# After a failure it is left alone for so long.
REST_SECONDS = 1.0
# Keys that one command looks through.
SCAN = 1000


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

    def matching(self, pattern: str, most: int) -> list[bytes]:
        """The keys that match, `most` at most. Raises RedisError."""
        keys: Iterable[bytes] = self._plain.scan_iter(match=self.make_key(pattern), count=SCAN)
        return list(islice(keys, most))

    def remove(self, keys: list[bytes]) -> int:
        """How many there were. Raises RedisError."""
        return int(self._plain.unlink(*keys)) if keys else 0

    @property
    def _plain(self) -> Redis:
        return Redis(connection_pool=self._cache.get_client().connection_pool)
