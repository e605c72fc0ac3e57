"""Tells whoever changed an order what became of the SMS they waited for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from notifications.models import NotificationHistory
from notifications.sender import collecting
from notifications.states import Kind, Status

HEADER = "Sms-Outcome"


def outcomes(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """A line on the page; on answers of the API `Sms-Outcome: order_confirmed=sent` (`;count=3` behind it if three)."""

    def middleware(request: HttpRequest) -> HttpResponse:
        with collecting() as rows:
            response = get_response(request)
        return tell(request, response, rows)

    return middleware


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
