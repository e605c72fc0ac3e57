"""Bodies of requests to the API: bounded before they are read."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase

from orders.api.exceptions import TooLarge
from orders.api.fallback import API, answer
from orders.api.parsers import most_bytes


class BoundedBodies:
    """Middleware: a body of the API that says it is too large is refused unread, whatever its content type.

    A chunked body says nothing; DRF would take it for empty. It is given the largest length allowed, and the parser
    counts.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path_info.startswith(API):
            length = request.META.get("CONTENT_LENGTH") or ""
            if length.isdigit() and int(length[:20]) > most_bytes():
                return answer(TooLarge())
            if not length and "chunked" in request.headers.get("Transfer-Encoding", "").lower():
                request.META["CONTENT_LENGTH"] = str(most_bytes())
        return self.get_response(request)
