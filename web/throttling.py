"""Rate limits: one for each role, and stricter ones for requests that are expensive or may guess a secret.

Requests are counted in fixed windows as long as the rate's period, in the shared cache and in this process. The higher
count applies; without a shared cache, or while it is down, that of the process.
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

# The maximum number of counts in this process, one for each caller and scope; beyond it, those unused for longest are
# dropped. An attacker with more addresses must be stopped by the proxy.
MAX_CALLERS = 10_000

process_cache: BaseCache = LocMemCache("throttles", {"OPTIONS": {"MAX_ENTRIES": MAX_CALLERS}})
# The prefix length of the IPv6 networks that are counted as one client: a household or server may use any address of
# such a network (RFC 6177).
IPV6_NETWORK = 64


def wait_for(scope: str, who: str | int | None, *, here: bool = False) -> int | None:
    """Counts one request of `who`. Returns the seconds to wait if the request exceeds the limit, else None.

    Counts nothing if the scope has no limit or throttling is off. With `here`, counts only in the memory of this
    process; use that on an event loop.
    """
    rate = settings.THROTTLE_RATES[scope]
    if not rate or not (flags.is_on_from_memory if here else flags.is_on)(flags.THROTTLING):
        return None
    limit, seconds = rate
    key, left = _window(scope, who, seconds)
    count = _increment(process_cache, key, seconds)
    if not here:
        count = max(count, _increment_shared(key, seconds))
    if count <= limit:
        return None
    process_cache.set(key, count, seconds)  # `wait_left` reads only this cache
    return left


def wait_left(scope: str, who: str | int | None) -> int | None:
    """The seconds to wait if `wait_for` refused `who` in this window, else None. Only reads this process's memory."""
    rate = settings.THROTTLE_RATES[scope]
    if not rate or not flags.is_on_from_memory(flags.THROTTLING):
        return None
    limit, seconds = rate
    key, left = _window(scope, who, seconds)
    return left if process_cache.get(key, 0) > limit else None


def _window(scope: str, who: str | int | None, seconds: int) -> tuple[str, int]:
    """The cache key of the current window, and the seconds until it ends."""
    window, since = divmod(int(time()), seconds)
    return f"throttle:{scope}:{who}:{window}", seconds - since


def _increment(where: BaseCache, key: str, seconds: int) -> int:
    """Returns the new count. A key expires after two windows.

    Django's Redis `incr` checks that the key exists, then increments it. A key that expired in between would be created
    without an expiry and stay for ever. After two windows nobody counts in the key any more.
    """
    try:
        return where.incr(key)
    except ValueError:  # no such key yet
        return 1 if where.add(key, 1, 2 * seconds) else where.incr(key)


def _increment_shared(key: str, seconds: int) -> int:
    try:
        return _increment(cache, key, seconds)
    except ValueError:  # the cache is down; the process's own count applies
        return 0


def wait_for_request(scope: str, request: HttpRequest) -> int | None:
    """`wait_for` for the client address of a request."""
    return wait_for(scope, address_of(request))


def throttled_text(seconds: float) -> str:
    """The message for a throttled caller, in the active language. `seconds` is the time to wait."""
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
    return client_address(request.META.get("REMOTE_ADDR", ""), request.headers.get("X-Forwarded-For", ""))


def address_of_scope(scope: dict[str, Any]) -> str | None:
    """`address_of` for a WebSocket connection. `scope` is its ASGI scope."""
    forwarded = (value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for")
    return client_address((scope.get("client") or [""])[0], ",".join(forwarded))


def client_address(peer: str, forwarded: str) -> str | None:
    """The client address used for rate limits: IPv4, or the network address of an IPv6 one.

    None if there is no IP address (a Unix socket). `forwarded` is the header X-Forwarded-For; only its last NUM_PROXIES
    entries are trusted, because our own proxies wrote those.
    """
    proxies: int = settings.REST_FRAMEWORK["NUM_PROXIES"]
    addresses = forwarded.split(",") if forwarded and proxies else [peer]
    try:
        found = ip_address(addresses[-min(proxies or 1, len(addresses))].strip())
    except ValueError:
        return None
    mapped = getattr(found, "ipv4_mapped", None)
    if mapped is not None or found.version == 4:
        return str(mapped or found)
    return str(ip_network(f"{found}/{IPV6_NETWORK}", strict=False).network_address)
