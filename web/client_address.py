"""Whom a limit counts: the address a request or a socket comes from, of which no header of a stranger decides."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

from django.conf import settings
from django.http import HttpRequest

# One household or one server has as many addresses as it likes, within one network of this size (RFC 6177).
IPV6_NETWORK = 64


def of_request(request: HttpRequest) -> str | None:
    return counted_as(request.META.get("REMOTE_ADDR", ""), request.headers.get("X-Forwarded-For", ""))


def of_scope(scope: dict[str, Any]) -> str | None:
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
