"""How often somebody may ask: by role, and more strictly where a request is dear or guesses at a secret.

Counted in windows of the rate's own length, in the cache that all processes share, and in this process as well: where
there is no such cache, or it is away, the process alone counts.
"""

from __future__ import annotations

from time import time

from django.conf import settings
from django.core.cache import BaseCache, cache
from django.core.cache.backends.locmem import LocMemCache
from django.http import HttpRequest
from django.utils.translation import ngettext

from web import client_address, flags
from web.rates import most_and_seconds

# Of as many callers at once the newest are counted; a stranger with more addresses is the proxy's to stop.
MOST_CALLERS = 10_000

own: BaseCache = LocMemCache("throttles", {"OPTIONS": {"MAX_ENTRIES": MOST_CALLERS}})


def wait_for(scope: str, who: str | int | None, *, here: bool = False) -> int | None:
    """Counts one request of `who`; the seconds to wait where it is one too many, else None.

    `here`: in the memory of this process alone, for an event loop.
    """
    rate = settings.THROTTLE_RATES[scope]
    if not rate or not (flags.known if here else flags.on)(flags.THROTTLING):
        return None
    most, seconds = most_and_seconds(rate)
    key, left = _window(scope, who, seconds)
    counted = _counted(own, key, seconds)
    if not here:
        counted = max(counted, _counted_by_all(key, seconds))
    if counted <= most:
        return None
    own.set(key, counted, seconds)  # for `wait_left`
    return left


def wait_left(scope: str, who: str | int | None) -> int | None:
    """As `wait_for` answered last where `who` asked too often. Counts nothing, and asks memory alone."""
    rate = settings.THROTTLE_RATES[scope]
    if not rate or not flags.known(flags.THROTTLING):
        return None
    most, seconds = most_and_seconds(rate)
    key, left = _window(scope, who, seconds)
    return left if own.get(key, 0) > most else None


def _window(scope: str, who: str | int | None, seconds: int) -> tuple[str, int]:
    """The name of the present window, and the seconds left of it."""
    window, since = divmod(int(time()), seconds)
    return f"throttle:{scope}:{who}:{window}", seconds - since


def _counted(where: BaseCache, key: str, seconds: int) -> int:
    """A key outlives its window: one that ended between Redis' look for it and its count would stay for ever."""
    try:
        return where.incr(key)
    except ValueError:  # there is none yet
        return 1 if where.add(key, 1, 2 * seconds) else where.incr(key)


def _counted_by_all(key: str, seconds: int) -> int:
    try:
        return _counted(cache, key, seconds)
    except ValueError:  # away; this process has counted too
        return 0


def wait_of(scope: str, request: HttpRequest) -> int | None:
    """`wait_for` the address a request comes from."""
    return wait_for(scope, client_address.of_request(request))


def please_wait(seconds: float) -> str:
    """The sentence for who asked too often."""
    whole = max(1, round(seconds))
    return (
        ngettext(
            "Too many requests. Please try again in %d second.",
            "Too many requests. Please try again in %d seconds.",
            whole,
        )
        % whole
    )
