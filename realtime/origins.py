"""Which pages may open a socket with the session cookie: the same that may post a form (Django's CSRF protection)."""

from __future__ import annotations

from contextlib import suppress
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

from channels.security.websocket import OriginValidator
from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.core.handlers.asgi import ASGIRequest

# A page's scheme, by that of its socket (RFC 6455, 3).
PAGES = {"ws": "http", "wss": "https"}


def is_ours(scope: dict[str, Any]) -> bool:
    """Whether the page comes from this very site, by scheme, host and port, or from one of CSRF_TRUSTED_ORIGINS."""
    header = dict(scope["headers"]).get(b"origin", b"").decode("ascii", "replace")
    # Django's `https://*.example.tw` is Channels' `https://.example.tw`.
    allowed = [url.replace("://*.", "://.") for url in settings.CSRF_TRUSTED_ORIGINS]
    with suppress(DisallowedHost):
        allowed.append(own(scope))
    try:
        return bool(OriginValidator(None, allowed).valid_origin(urlsplit(header)))
    except ValueError:  # it is no origin
        return False


def own(scope: dict[str, Any]) -> str:
    """What the browser calls this site: behind a proxy by the headers that we believe. Raises DisallowedHost."""
    scheme = scope.get("scheme", "ws")
    request = ASGIRequest(scope | {"method": "GET", "scheme": PAGES.get(scheme, scheme)}, BytesIO())
    return f"{request.scheme}://{request.get_host()}"
