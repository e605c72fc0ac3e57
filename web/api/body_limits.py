"""Bodies of requests, bounded while they arrive: Django by itself first writes all of one to the disk."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from io import BytesIO
from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve
from django.utils import translation

from web.api.exceptions import TooLarge
from web.api.fallback import API, answer
from web.api.parsers import most_bytes

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
# The largest file that a page of the site sends, a sheet of orders; and the form around it.
MOST_OF_FILE = 5 * 1024 * 1024
MOST_OF_PAGES = MOST_OF_FILE + 1024 * 1024


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
