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


access_log = logging.getLogger("luckygas.access")
log = logging.getLogger(__name__)
HEADER = "X-Request-ID"
# Server time in milliseconds since 1970, for the clock of pages. (`Date` has whole seconds, and Daphne omits it.)
TIME = "X-Server-Time"
# Converts a URL pattern to a readable path such as `/api/v1/orders/<pk>/`.
_simplify = cache(simplify_regex)
# Clients may send other methods; all of those count as "other".
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
# The status that is logged if even the error page fails.
BROKEN = 500
# The route of paths that match no pattern, and how many characters of such a path are logged.
UNMATCHED, MAX_CHARACTERS = "unmatched", 200

# Defaults for responses that do not set these headers.
HEADERS = {
    # Browsers and proxies must not store personal data (RFC 9111, section 5.2.2). The driver's service worker stores
    # what it needs without a network.
    "Cache-Control": "private, no-store",
    # Limits device access, also of injected scripts (W3C Permissions Policy). The driver's page needs position and
    # camera.
    "Permissions-Policy": "camera=(self), geolocation=(self), microphone=(), payment=(), usb=(), display-capture=()",
}


def observe(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Adds request id and server time to each response. Logs and counts the request.

    Must come first, so that it sees the responses of all other middleware.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        id_, started = request_id.given_or_new(request.headers.get(HEADER, "")), perf_counter()
        status = BROKEN
        with bound_contextvars(request_id=id_):
            try:
                response = get_response(request)
                status = response.status_code
            finally:
                record_request(request, status, perf_counter() - started)
        response[HEADER], response[TIME] = id_, str(int(time() * 1000))
        return response

    return middleware


def default_headers(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Adds each of HEADERS that the response does not set itself."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    return middleware


class VisibleText:
    """Removes invisible characters from forms and query parameters, except passwords, before a view reads them.

    Must come after the CSRF check: then it reads no form of a request that the check refuses.
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
    """Answers 400 if the database cannot store a value, such as text with NUL or the year 10000.

    Django's own views check few values of their URL. The API answers 400 itself. The view's transaction has been rolled
    back by then. Logs a warning, because our own validation should have refused the value earlier.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if not isinstance(exception, (DataError, OverflowError)):
            return None
        log.warning("The database refused values that our validation accepted.", exc_info=exception)
        return bad_request(request, exception)


def record_request(request: HttpRequest, status: int, seconds: float) -> None:
    method, where = request.method if request.method in METHODS else "other", route(request)
    REQUESTS.labels(method, where, status).inc()
    SECONDS.labels(method, where).observe(seconds)
    fields = {"method": method, "route": where, "status": status, "ms": round(seconds * 1000, 1)}
    if where == UNMATCHED:
        fields["path"] = request.path[:MAX_CHARACTERS]
    access_log.info("request", extra=fields | {"user_id": user_id(request)})


def route(request: HttpRequest) -> str:
    """Returns the pattern that the path matches, "static" or "unmatched", so that there are few label values."""
    if request.resolver_match is not None:
        return _simplify(request.resolver_match.route)
    return "static" if request.path_info.startswith(settings.STATIC_URL) else UNMATCHED


def user_id(request: HttpRequest) -> int | None:
    """Returns the user's id; None without sign-in, or if no view needed the user (finding it costs a query)."""
    user = getattr(request, "user", None)
    if isinstance(user, SimpleLazyObject):
        user = getattr(request, "_cached_user", None)
    return getattr(user, "pk", None)
