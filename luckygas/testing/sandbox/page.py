"""The sandbox's page: the telephones with their messages, and buttons for receipts and faults."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.template.backends.django import DjangoTemplates
from django.template.defaultfilters import linebreaksbr
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from luckygas.environment import LOOPBACK
from luckygas.testing.sandbox.faults import FaultKind
from luckygas.testing.sandbox.http_messages import Request, Response
from luckygas.testing.sandbox.operator import Operator
from notifications.carrier_rules import registered_hosts
from notifications.states import MessageStatus

# Text that a telephone would turn into a link.
URL = re.compile(r"https?://[^\s<>\"'`，。、！？；：「」『』（）【】]+", re.IGNORECASE)
HTML = "text/html; charset=utf-8"
# How many of the newest messages the page shows.
SHOWN = 100
# A separate template engine, so that the site does not see these templates.
TEMPLATES = DjangoTemplates(
    {"NAME": "sandbox", "DIRS": [Path(__file__).parent / "templates"], "APP_DIRS": False, "OPTIONS": {}}
)
FAULTS = {
    FaultKind.SLOW: _("responds slowly (5 s)"), FaultKind.REFUSE: _("refuses the message"),
    FaultKind.HANG: _("never responds"),
    FaultKind.DROP_BEFORE: _("closes the connection without reading the request"),
    FaultKind.DROP_AFTER: _("accepts the message, then closes the connection"),
    FaultKind.GARBAGE: _("responds with unreadable data"),
    FaultKind.HTML: _("responds with an HTML page"), FaultKind.HUGE: _("responds with ten megabytes"),
    FaultKind.TWICE: _("sends each response twice"),
}  # fmt: skip
OUTCOMES = (MessageStatus.DELIVERED, MessageStatus.FAILED, MessageStatus.EXPIRED)


def with_links(text: str) -> SafeString:
    """Converts the text to HTML. Only URLs on registered hosts (SMS_LINK_HOSTS) and on loopback become links."""
    pieces, end = [], 0
    for found in URL.finditer(text):
        url = found[0].rstrip(".,;:!?)")
        if is_ours(url):
            link = format_html('<a href="{0}" target="_blank" rel="noopener noreferrer">{0}</a>', url)
            pieces += [linebreaksbr(text[end : found.start()]), link]
            end = found.start() + len(url)
    return format_html_join("", "{}", ((piece,) for piece in (*pieces, linebreaksbr(text[end:]))))


def is_ours(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.username is None and parts.hostname in registered_hosts() | LOOPBACK
    except ValueError:
        return False


def show_page(request: Request, operator: Operator) -> Response:
    return render("page.html", request, operator)


def show_bubbles(request: Request, operator: Operator) -> Response:
    """Returns the part of the page that changes."""
    return render("bubbles.html", request, operator)


def render(template: str, request: Request, operator: Operator) -> Response:
    language = language_of(request)
    newest: list[Any] = operator.telephones.all()[: -SHOWN - 1 : -1]
    context = {
        "messages": [(sent, with_links(sent.text)) for sent in newest],
        "balance": operator.telephones.balance, "fault": operator.faults.now,
        "fault_label": FAULTS[operator.faults.now.kind] if operator.faults.now else "", "faults": FAULTS.items(),
        "policy": operator.receipts.policy, "outcomes": OUTCOMES, "lang": language,
    }  # fmt: skip
    with override(language):
        return Response(TEMPLATES.get_template(template).render(context).encode(), content_type=HTML)


def language_of(request: Request) -> str:
    """Returns `en` if `?lang=`, or else the browser's first language, is English. Otherwise returns `zh-hant`."""
    first = request.form().get("lang") or str(request.headers.get("Accept-Language", ""))
    return "en" if first.lower().startswith("en") else "zh-hant"


ROUTES = {("GET", "/"): show_page, ("GET", "/bubbles"): show_bubbles}
