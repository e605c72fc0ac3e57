"""Middleware for every request: request id, server time, log line, metrics, default headers, and clean input."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from time import perf_counter, time

from django.conf import settings
from django.contrib.admindocs.views import simplify_regex
from django.core.exceptions import TooManyFieldsSent
from django.db import DataError
from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject
from prometheus_client import Counter, Histogram
from structlog.contextvars import bound_contextvars

from web import request_id
from web.api.errors import bad_request
from web.metrics import mark_persistent
from web.text import remove_invisible_from_form

REQUESTS = mark_persistent(Counter("luckygas_http_requests", "Requests answered.", ["method", "route", "status"]))
SECONDS = Histogram(
    "luckygas_http_request_seconds",
    "Duration of requests.",
    ["method", "route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)


log = logging.getLogger("luckygas.access")
refused = logging.getLogger(__name__)
HEADER = "X-Request-ID"
# Server time in milliseconds since 1970, for the clock of pages. (`Date` has whole seconds, and Daphne omits it.)
TIME = "X-Server-Time"
# Converts a URL pattern to `/api/v1/orders/<pk>/`.
_readable = cache(simplify_regex)
# Clients may send any other; it counts as "other".
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
# The status if even the error page fails.
BROKEN = 500
# The route of paths without a pattern, and how much of such a path is logged.
UNMATCHED, MAX_CHARACTERS = "unmatched", 200

# Defaults for answers that do not set these headers.
HEADERS = {
    # Browsers and proxies must not store personal data (RFC 9111, section 5.2.2). The driver's service worker stores
    # what it needs without a network.
    "Cache-Control": "private, no-store",
    # Limits device access, also of injected scripts (W3C Permissions Policy). The driver's page needs position and
    # camera.
    "Permissions-Policy": "camera=(self), geolocation=(self), microphone=(), payment=(), usb=(), display-capture=()",
}


def observe(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Adds the request id and server time, logs and counts. Must come first, to see answers of other middleware."""

    def middleware(request: HttpRequest) -> HttpResponse:
        asked, started = request_id.given_or_new(request.headers.get(HEADER, "")), perf_counter()
        status = BROKEN
        with bound_contextvars(request_id=asked):
            try:
                response = get_response(request)
                status = response.status_code
            finally:
                account(request, status, perf_counter() - started)
        response[HEADER], response[TIME] = asked, str(int(time() * 1000))
        return response

    return middleware


def default_headers(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Adds HEADERS where the answer has none of its own."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    return middleware


class VisibleText:
    """Drops invisible characters from forms and query parameters before a view reads them.

    Comes after the CSRF check, which has already read the form. So it reads no body of a refused request.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Callable[..., HttpResponse], *args: object) -> None:
        # Views that read the parameters report this error themselves.
        with suppress(TooManyFieldsSent):
            request.GET = remove_invisible_from_form(request.GET)  # type: ignore[assignment]  # a cached property
        # The API parses its bodies itself (web.api.parsers).
        if request.method == "POST" and not getattr(view, "csrf_exempt", False):
            request.POST = remove_invisible_from_form(request.POST)  # type: ignore[assignment]  # has a setter


class RefuseImpossible:
    """Answers 400 if a value fits no column, such as text with NUL or the year 10000. The API does so itself.

    Django's own views check few values of their URL. A transaction is rolled back whole. Logs a warning, because our
    own check should have refused the value earlier.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, (DataError, OverflowError)):
            return None
        refused.warning("The database refused values that our validation accepted.", exc_info=exception)
        return bad_request(request, exception)


def account(request: HttpRequest, status: int, seconds: float) -> None:
    method, where = request.method if request.method in METHODS else "other", route(request)
    REQUESTS.labels(method, where, status).inc()
    SECONDS.labels(method, where).observe(seconds)
    said = {"method": method, "route": where, "status": status, "ms": round(seconds * 1000, 1)}
    if where == UNMATCHED:
        said["path"] = request.path[:MAX_CHARACTERS]
    log.info("request", extra=said | {"user_id": user_id(request)})


def route(request: HttpRequest) -> str:
    """Returns the pattern of the path, so that the number of label values is bounded."""
    if request.resolver_match is not None:
        return _readable(request.resolver_match.route)
    return "static" if request.path_info.startswith(settings.STATIC_URL) else UNMATCHED


def user_id(request: HttpRequest) -> int | None:
    """Returns the user's id; None without sign-in, or if no view needed the user (finding it costs a query)."""
    user = getattr(request, "user", None)
    if isinstance(user, SimpleLazyObject):
        user = getattr(request, "_cached_user", None)
    return getattr(user, "pk", None)
