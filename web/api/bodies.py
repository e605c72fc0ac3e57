"""ASGI middleware for request bodies: limits their size while they arrive, and removes unknown charsets."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from io import BytesIO
from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve
from django.utils import translation
from django.utils.http import parse_header_parameters

from web.api.errors import API, error_response
from web.api.exceptions import TooLarge
from web.api.parsers import max_body_bytes

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
# The maximum size of an uploaded file (a sheet of orders), and of a page's request: that file and the form around it.
MAX_FILE_BYTES = 5 * 1024 * 1024
MAX_PAGE_BYTES = MAX_FILE_BYTES + 1024 * 1024
CHARSET = re.compile(r';\s*charset[*\d]*\s*=\s*("(\\.|[^"\\])*"|[^;]*)', re.IGNORECASE)


class BoundedBodies:
    """ASGI middleware: answers 413 to a body that is too large.

    If the Content-Length exceeds the limit, the body is not read. A body without Content-Length is refused as soon as
    it exceeds the limit. A chunked body has no Content-Length, and DRF would treat it as empty. So the middleware adds
    a Content-Length: the largest one allowed.
    """

    def __init__(self, application: Any, refusal: Callable[[HttpRequest], HttpResponse] | None = None) -> None:
        """`refusal` makes the 413 response. The default lacks the headers that Django's middleware adds."""
        self.application = application
        self.refusal = refusal or too_large_response

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        max_bytes = max_body_bytes() if scope["path"].startswith(API) else MAX_PAGE_BYTES
        headers = dict(scope["headers"])
        length = headers.get(b"content-length", b"")
        if length.isdigit() and int(length[:20]) > max_bytes:
            await self.refuse(scope, send)
            return
        if not length and b"chunked" in headers.get(b"transfer-encoding", b"").lower():
            scope = scope | {"headers": [*scope["headers"], (b"content-length", str(max_bytes).encode())]}
        body = CountedBody(receive, max_bytes)
        await self.application(scope, body.next, send)
        if body.is_over:  # no response was sent yet, because Django reads the whole body first
            await self.refuse(scope, send)

    async def refuse(self, scope: dict[str, Any], send: Send) -> None:
        """Sends the refusal and closes the connection without reading the rest of the body."""
        response = self.refusal(ASGIRequest(scope, BytesIO()))
        headers = [(name.lower().encode(), value.encode()) for name, value in response.items()]
        headers += [(b"content-length", str(len(response.content)).encode()), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": response.content})


class CountedBody:
    """Counts the bytes of a body. After more than `max_bytes` it reports a disconnect, so that Django stops reading."""

    def __init__(self, receive: Receive, max_bytes: int) -> None:
        self.receive, self.left = receive, max_bytes
        self.is_over = False

    async def next(self) -> Message:
        message = await self.receive()
        self.left -= len(message.get("body", b""))
        if self.left >= 0:
            return message
        self.is_over = True
        return {"type": "http.disconnect"}


def too_large_response(request: HttpRequest) -> HttpResponse:
    """The 413 response, in the client's language; for API paths in the API's error format."""
    with suppress(Resolver404):
        request.resolver_match = resolve(request.path_info)
    with translation.override(translation.get_language_from_request(request)):
        problem = TooLarge()
        api = request.path.startswith(API)
        response = (
            error_response(problem) if api else HttpResponse(str(problem.detail), "text/plain; charset=utf-8", 413)
        )
    response["X-Content-Type-Options"] = "nosniff"
    return response


def remove_unknown_charset(application: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """ASGI middleware: removes a `charset` that cannot decode text, such as `hex`, so that UTF-8 is used."""

    async def with_known_charset(scope: dict[str, Any], receive: Any, send: Any) -> None:
        headers = [
            (name, usable_content_type(value) if name == b"content-type" else value) for name, value in scope["headers"]
        ]
        await application(scope | {"headers": headers}, receive, send)

    return with_known_charset


def usable_content_type(content_type: bytes) -> bytes:
    text = content_type.decode("latin-1")
    try:
        charset = parse_header_parameters(text)[1].get("charset", "utf-8")
    except ValueError:  # a parameter has an unknown encoding of its own (RFC 2231)
        return text.partition(";")[0].encode("latin-1")
    return content_type if is_charset(charset) else CHARSET.sub("", text).encode("latin-1")


def is_charset(name: str) -> bool:
    """Whether a codec of this name decodes any bytes to text, with replacement characters for invalid ones."""
    try:
        bytes(range(256)).decode(name, "replace")
    except (LookupError, ValueError):
        return False
    return True
