"""Which pages may open a socket with the session cookie: the same that may post a form (Django's CSRF protection)."""

from __future__ import annotations

from io import BytesIO
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.core.handlers.asgi import ASGIRequest
from django.utils.http import is_same_domain

PORTS = {"http": 80, "https": 443}
# A page's scheme, by that of its socket (RFC 6455, 3).
PAGES = {"ws": "http", "wss": "https"}


class Origin(NamedTuple):
    """RFC 6454, 4."""

    scheme: str
    host: str
    port: int | None


def origin_of(url: str) -> Origin | None:
    """None where the text is no origin."""
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS.get(parts.scheme)
    except ValueError:
        return None
    return Origin(parts.scheme, parts.hostname, port) if parts.hostname else None


def is_ours(scope: dict[str, Any]) -> bool:
    """Whether the page comes from this very site, by scheme, host and port, or from one of CSRF_TRUSTED_ORIGINS."""
    header = dict(scope["headers"]).get(b"origin", b"").decode("ascii", "replace")
    page = origin_of(header)
    return page is not None and (
        page == own(scope) or any(is_trusted(page, url) for url in settings.CSRF_TRUSTED_ORIGINS)
    )


def own(scope: dict[str, Any]) -> Origin | None:
    """What the browser calls this site: behind a proxy by the headers that we believe. None for a host not ours."""
    scheme = scope.get("scheme", "ws")
    request = ASGIRequest(scope | {"method": "GET", "scheme": PAGES.get(scheme, scheme)}, BytesIO())
    try:
        return origin_of(f"{request.scheme}://{request.get_host()}")
    except DisallowedHost:
        return None


def is_trusted(page: Origin, url: str) -> bool:
    """`https://*.example.tw` are all names below that one."""
    trusted = origin_of(url.replace("*", "", 1))
    if trusted is None or (page.scheme, page.port) != (trusted.scheme, trusted.port):
        return False
    return is_same_domain(page.host, trusted.host) if "*" in url else page.host == trusted.host
