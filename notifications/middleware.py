"""Tells whoever changed an order what became of the SMS they waited for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, cast

from asgiref.sync import iscoroutinefunction
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import sync_and_async_middleware
from django.utils.translation import gettext as _

from notifications.models import NotificationHistory
from notifications.sender import collecting
from notifications.states import Kind, Status

HEADER = "Sms-Outcome"


@sync_and_async_middleware
def outcomes(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """A line on the page; on answers of the API `Sms-Outcome: order_confirmed=sent` (`;count=3` behind it if three)."""
    if iscoroutinefunction(get_response):
        waiting = cast("Callable[[HttpRequest], Awaitable[HttpResponse]]", get_response)

        async def outcomes_async(request: HttpRequest) -> HttpResponse:
            with collecting() as rows:
                response = await waiting(request)
            return tell(request, response, rows)

        return outcomes_async

    def outcomes_sync(request: HttpRequest) -> HttpResponse:
        with collecting() as rows:
            response: HttpResponse = get_response(request)
        return tell(request, response, rows)

    return outcomes_sync


def tell(request: HttpRequest, response: HttpResponse, rows: list[NotificationHistory]) -> HttpResponse:
    found = sorted(Counter((row.kind, row.status) for row in rows).items())
    if found and request.path_info.startswith("/api/"):
        words = (f"{kind}={status}" + (f";count={count}" if count > 1 else "") for (kind, status), count in found)
        response[HEADER] = ", ".join(words)
    elif found and hasattr(request, "_messages"):
        for (kind, status), count in found:
            said = {"kind": Kind(kind).label, "status": Status(status).label, "count": count}
            messages.info(request, _("SMS “%(kind)s”: %(status)s (%(count)d)") % said)
    return response
