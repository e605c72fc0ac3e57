"""Around every request: its id, the server's clock, its line in the log, its figures, and its text as people see it."""

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
from web.metrics import kept
from web.text import visible_form

REQUESTS = kept(Counter("luckygas_http_requests", "Requests answered.", ["method", "route", "status"]))
SECONDS = Histogram(
    "luckygas_http_request_seconds",
    "From the request to the answer.",
    ["method", "route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)


log = logging.getLogger("luckygas.access")
refused = logging.getLogger(__name__)
HEADER = "X-Request-ID"
# The server's clock, in milliseconds since 1970: pages go by it. (`Date` has whole seconds, and Daphne leaves it out.)
TIME = "X-Server-Time"
# `/api/v1/orders/<pk>/` of its pattern.
_readable = cache(simplify_regex)
# A client may write any other.
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
# Not even the page that says so could be made.
BROKEN = 500
# What no pattern took, and how much of its path is shown.
UNMATCHED, MOST_LETTERS = "unmatched", 200

# Of every answer that says nothing else itself.
HEADERS = {
    # Neither browser nor proxy keeps it (RFC 9111, 5.2.2): pages and answers hold people's data. What the driver's page
    # needs without a line, its service worker keeps itself.
    "Cache-Control": "private, no-store",
    # What a page may use of the device, also by a script that should not be there: the driver's page where it is and
    # the camera (W3C Permissions Policy).
    "Permissions-Policy": "camera=(self), geolocation=(self), microphone=(), payment=(), usb=(), display-capture=()",
}


def observe(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware, to stand first: what another answers is seen too."""

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
    """Middleware: HEADERS."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    return middleware


class VisibleText:
    """Drops invisible characters from forms and from the parameters of addresses, before a view reads them.

    Stands behind the check of CSRF, which has read the form by then: what is refused is not read for this.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Callable[..., HttpResponse], *args: object) -> None:
        # Too many parameters trouble only a view that reads them.
        with suppress(TooManyFieldsSent):
            request.GET = visible_form(request.GET)  # type: ignore[assignment]  # a cached property
        # The API reads its bodies itself (web.api.parsers).
        if request.method == "POST" and not getattr(view, "csrf_exempt", False):
            request.POST = visible_form(request.POST)  # type: ignore[assignment]  # has a setter


class RefuseImpossible:
    """Middleware: 400 for what fits no column, as text with NUL in it or a year 10000. The API does the same by itself.

    It stands for all pages at once: Django's own check little of what their address says. What fails in a transaction
    is taken back whole. It is logged: a check of ours should have come first.
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
        said["path"] = request.path[:MOST_LETTERS]
    log.info("request", extra=said | {"user_id": user_id(request)})


def route(request: HttpRequest) -> str:
    """The pattern of the path and never the path itself: there are only so many."""
    if request.resolver_match is not None:
        return _readable(request.resolver_match.route)
    return "static" if request.path_info.startswith(settings.STATIC_URL) else UNMATCHED


def user_id(request: HttpRequest) -> int | None:
    """Of whoever the request turned out to be from; None also where nobody asked, which costs a query."""
    user = getattr(request, "user", None)
    if isinstance(user, SimpleLazyObject):
        user = getattr(request, "_cached_user", None)
    return getattr(user, "pk", None)
