"""Reports the outcomes of messages to customers in the response to the request that caused them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from notifications.models import NotificationHistory
from notifications.sender import collect_outcomes
from notifications.states import BAD_NEWS, MessageKind, MessageStatus, Reason

HEADER = "Sms-Outcome"


def outcomes(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware that reports the outcomes of the messages that a request caused.

    Pages show them as Django messages. API responses get the header `Sms-Outcome: order_confirmed=sent`, with
    `;count=3` for three.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        with collect_outcomes() as rows:
            response = get_response(request)
        return report_outcomes(request, response, rows)

    return middleware


def report_outcomes(request: HttpRequest, response: HttpResponse, rows: list[NotificationHistory]) -> HttpResponse:
    if rows and request.path_info.startswith("/api/"):
        found = sorted(Counter((row.kind, row.status) for row in rows).items())
        entries = (f"{kind}={status}" + (f";count={count}" if count > 1 else "") for (kind, status), count in found)
        response[HEADER] = ", ".join(entries)
    elif rows and hasattr(request, "_messages"):
        for (kind, status, reason), count in sorted(Counter((r.kind, r.status, r.status_reason) for r in rows).items()):
            messages.add_message(request, level(status, reason), sentence(kind, status, reason, count))
    return response


def level(status: str, reason: str) -> int:
    """Returns ERROR for a status in BAD_NEWS, unless the office turned this kind of message off; else INFO."""
    return messages.ERROR if status in BAD_NEWS and reason != Reason.SWITCHED_OFF else messages.INFO


def sentence(kind: str, status: str, reason: str, count: int) -> str:
    values = {"kind": MessageKind(kind).label, "status": MessageStatus(status).label, "count": count}
    text = _("Message “%(kind)s”: %(status)s (%(count)d)") % values
    return _("%(text)s: %(reason)s") % {"text": text, "reason": Reason(reason).label} if reason else text
