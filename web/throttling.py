"""How often somebody may ask: by role, and more strictly where a request is dear or guesses at a secret.

Counted in windows of the rate's own length, in the cache that all processes share, and in this process as well: where
there is no such cache, or it is away, the process alone counts.
"""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from time import time
from typing import Any

from django.conf import settings
from django.core.cache import BaseCache, cache
from django.core.cache.backends.locmem import LocMemCache
from django.http import HttpRequest
from django.utils.translation import ngettext

from web import flags

# Of as many callers at once the newest are counted; a stranger with more addresses is the proxy's to stop.
MOST_CALLERS = 10_000

own: BaseCache = LocMemCache("throttles", {"OPTIONS": {"MAX_ENTRIES": MOST_CALLERS}})
# One household or one server has as many addresses as it likes, within one network of this size (RFC 6177).
IPV6_NETWORK = 64


def wait_for(scope: str, who: str | int | None, *, here: bool = False) -> int | None:
    """Counts one request of `who`; the seconds to wait where it is one too many, else None.

    `here`: in the memory of this process alone, for an event loop.
    """
    rate = settings.THROTTLE_RATES[scope]
    if not rate or not (flags.known if here else flags.on)(flags.THROTTLING):
        return None
    most, seconds = rate
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
    most, seconds = rate
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
    return wait_for(scope, address_of(request))


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


def address_of(request: HttpRequest) -> str | None:
    return counted_as(request.META.get("REMOTE_ADDR", ""), request.headers.get("X-Forwarded-For", ""))


def address_of_scope(scope: dict[str, Any]) -> str | None:
    """The same of a socket (ASGI, “WebSocket connection scope”)."""
    forwarded = (value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for")
    return counted_as((scope.get("client") or [""])[0], ",".join(forwarded))


def counted_as(peer: str, forwarded: str) -> str | None:
    """An IPv4 address, or the first one of an IPv6 network; None where there is none (a socket in the file system).

    `forwarded` is the header X-Forwarded-For: as many of its last names are believed as proxies stand in front.
    """
    proxies: int = settings.REST_FRAMEWORK["NUM_PROXIES"]
    named = forwarded.split(",") if forwarded and proxies else [peer]
    try:
        found = ip_address(named[-min(proxies or 1, len(named))].strip())
    except ValueError:
        return None
    mapped = getattr(found, "ipv4_mapped", None)
    if mapped is not None or found.version == 4:
        return str(mapped or found)
    return str(ip_network(f"{found}/{IPV6_NETWORK}", strict=False).network_address)
