"""Which charset a form is in: its Content-Type may name any codec that Python has."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

from django.utils.http import parse_header_parameters

CHARSET = re.compile(r';\s*charset[*\d]*\s*=\s*("(\\.|[^"\\])*"|[^;]*)', re.IGNORECASE)


def with_charset(application: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """ASGI: text counts as UTF-8 where `charset` is a codec that is no charset, as `hex`."""

    async def with_known_charset(scope: dict[str, Any], receive: Any, send: Any) -> None:
        headers = [(name, known(value) if name == b"content-type" else value) for name, value in scope["headers"]]
        await application(scope | {"headers": headers}, receive, send)

    return with_known_charset


def known(content_type: bytes) -> bytes:
    text = content_type.decode("latin-1")
    try:
        named = parse_header_parameters(text)[1].get("charset", "utf-8")
    except ValueError:  # a parameter in a charset of its own that is none (RFC 2231)
        return text.partition(";")[0].encode("latin-1")
    return content_type if is_charset(named) else CHARSET.sub("", text).encode("latin-1")


def is_charset(name: str) -> bool:
    """Whether any bytes can be read so, with marks for those that mean nothing."""
    try:
        bytes(range(256)).decode(name, "replace")
    except (LookupError, ValueError):
        return False
    return True
