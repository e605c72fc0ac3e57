"""Answers kept in Django's cache for as long as nothing they tell of has changed (README, “Caching”).

A key holds how many changes of each kind were committed when it was made, as the log of events counts them. That is
read before the answer's own queries: so the answer is at least as new as its key, and a reader that writes late writes
where nobody looks any more. Nothing is raised or deleted when something changes: nothing can be forgotten either,
whoever dies between a commit and what would follow it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.core.cache import DEFAULT_CACHE_ALIAS, caches
from django.utils.translation import get_language

from web import flags, timings
from web.log_position import Position
from web.redis_cache import ForgivingRedis


@dataclass(frozen=True, slots=True)
class Kept:
    """`kinds`: the subjects of the log whose changes make the answer another. `seconds`: how long it is of use."""

    kinds: tuple[str, ...]
    seconds: int


KEPT = {
    "statistics": Kept(("order", "crew", "product"), 300),
}
# Before the keys of answers: others count requests in the same cache.
PREFIX = "answer:"
# What `size` and `clear` look through at most.
MOST_KEYS = 10_000


def answer(name: str, position: Position | None, parts: tuple[object, ...], make: Callable[[], Any]) -> Any:
    """What `make` returned when it was last asked for the same `parts`, unless something changed since; JSON.

    `parts` are all that the answer depends on besides the rows: the role, the period, the address. `position` was read
    before; None, or one that cannot tell yet, asks `make`.
    """
    shared = shared_cache()
    if shared is None or position is None or position.changes is None or not flags.on(flags.CACHING):
        return make()
    key = _key(name, position, parts)
    kept = shared.get(key)
    timings.looked_up(name, found=kept is not None)
    if kept is not None:
        return kept
    made = make()
    shared.set(key, made, KEPT[name].seconds)
    return made


def shared_cache() -> ForgivingRedis | None:
    """The cache of all processes; None where there is none, and nothing is kept."""
    backend = caches[DEFAULT_CACHE_ALIAS]
    return backend if isinstance(backend, ForgivingRedis) else None


def _key(name: str, position: Position, parts: tuple[object, ...]) -> str:
    changes = position.changes or {}
    generation = ".".join(str(changes.get(kind, 0)) for kind in KEPT[name].kinds)
    told = hashlib.sha256(repr((get_language(), *parts)).encode()).hexdigest()[:32]
    return f"{PREFIX}{name}:{position.epoch}:{generation}:{told}"


def size(name: str) -> int | None:
    """How many answers are kept, MOST_KEYS at most; None: the cache does not answer."""
    shared = shared_cache()
    return shared.count(f"{PREFIX}{name}:*", MOST_KEYS) if shared else 0


def clear(pattern: str) -> int | None:
    """Forgets the answers whose keys match (`statistics:*`), MOST_KEYS at most; how many. None: no answer."""
    shared = shared_cache()
    return shared.remove(PREFIX + pattern, MOST_KEYS) if shared else 0
