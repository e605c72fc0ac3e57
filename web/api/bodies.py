"""Bodies of requests, before Django reads them: bounded while they arrive, and in a charset that is one."""

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

from web.api.errors import API, answer
from web.api.exceptions import TooLarge
from web.api.parsers import most_bytes

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
# The largest file that a page of the site sends, a sheet of orders; and the form around it.
MOST_OF_FILE = 5 * 1024 * 1024
MOST_OF_PAGES = MOST_OF_FILE + 1024 * 1024
CHARSET = re.compile(r';\s*charset[*\d]*\s*=\s*("(\\.|[^"\\])*"|[^;]*)', re.IGNORECASE)


class BoundedBodies:
    """ASGI, around Django: a body that says it is too large is refused unread, another as soon as it is.

    A chunked body says nothing; DRF would take it for empty. It is given the largest length allowed.
    """

    def __init__(self, application: Any, refusal: Callable[[HttpRequest], HttpResponse] | None = None) -> None:
        """`refusal`: `refused`, with what is to stand around it as around every other answer."""
        self.application = application
        self.refusal = refusal or refused

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        most = most_bytes() if scope["path"].startswith(API) else MOST_OF_PAGES
        headers = dict(scope["headers"])
        length = headers.get(b"content-length", b"")
        if length.isdigit() and int(length[:20]) > most:
            await self.refuse(scope, send)
            return
        if not length and b"chunked" in headers.get(b"transfer-encoding", b"").lower():
            scope = scope | {"headers": [*scope["headers"], (b"content-length", str(most).encode())]}
        body = Counted(receive, most)
        await self.application(scope, body.next, send)
        if body.is_over:  # nothing was answered: Django reads all of a body first
            await self.refuse(scope, send)

    async def refuse(self, scope: dict[str, Any], send: Send) -> None:
        """What is still on its way is not waited for."""
        response = self.refusal(ASGIRequest(scope, BytesIO()))
        headers = [(name.lower().encode(), value.encode()) for name, value in response.items()]
        headers += [(b"content-length", str(len(response.content)).encode()), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": response.content})


class Counted:
    """What a client sends; where it is more than `most`, Django is told that the client left, and tidies up."""

    def __init__(self, receive: Receive, most: int) -> None:
        self.receive, self.left = receive, most
        self.is_over = False

    async def next(self) -> Message:
        message = await self.receive()
        self.left -= len(message.get("body", b""))
        if self.left >= 0:
            return message
        self.is_over = True
        return {"type": "http.disconnect"}


def refused(request: HttpRequest) -> HttpResponse:
    """In the client's language and, for the API, in its shape."""
    with suppress(Resolver404):
        request.resolver_match = resolve(request.path_info)
    with translation.override(translation.get_language_from_request(request)):
        problem = TooLarge()
        api = request.path.startswith(API)
        response = answer(problem) if api else HttpResponse(str(problem.detail), "text/plain; charset=utf-8", 413)
    response["X-Content-Type-Options"] = "nosniff"
    return response


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
