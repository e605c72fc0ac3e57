"""The page: what the telephones show, and buttons for what happens next."""

from __future__ import annotations

from typing import Any

from django.template.loader import render_to_string
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from notifications.sandbox.faults import Kind
from notifications.sandbox.operator import Operator
from notifications.sandbox.wire import Answer, Asked
from notifications.states import Status

HTML = "text/html; charset=utf-8"
SHOWN = 100
FAULTS = {
    Kind.SLOW: _("answers slowly (5 s)"), Kind.REFUSE: _("refuses"), Kind.HANG: _("never answers"),
    Kind.DROP_BEFORE: _("drops the connection, the request unread"),
    Kind.DROP_AFTER: _("takes the message and drops the connection"), Kind.GARBAGE: _("answers nonsense"),
    Kind.HTML: _("answers a page of HTML"), Kind.HUGE: _("answers ten megabytes"),
    Kind.TWICE: _("answers twice"),
}  # fmt: skip
OUTCOMES = (Status.DELIVERED, Status.FAILED, Status.EXPIRED)


def whole(asked: Asked, operator: Operator) -> Answer:
    return render("sandbox/page.html", asked, operator)


def bubbles(asked: Asked, operator: Operator) -> Answer:
    """The part that changes."""
    return render("sandbox/bubbles.html", asked, operator)


def render(template: str, asked: Asked, operator: Operator) -> Answer:
    language = language_of(asked)
    newest: list[Any] = operator.telephones.all()[: -SHOWN - 1 : -1]
    context = {
        "messages": newest, "balance": operator.telephones.balance, "fault": operator.faults.now,
        "fault_label": FAULTS[operator.faults.now.kind] if operator.faults.now else "", "faults": FAULTS.items(),
        "habit": operator.receipts.habit, "outcomes": OUTCOMES, "lang": language,
    }  # fmt: skip
    with override(language):
        return Answer(render_to_string(template, context).encode(), content_type=HTML)


def language_of(asked: Asked) -> str:
    """`?lang=`, else the browser's first."""
    first = asked.form().get("lang") or str(asked.headers.get("Accept-Language", ""))
    return "en" if first.lower().startswith("en") else "zh-hant"


ROUTES = {("GET", "/"): whole, ("GET", "/bubbles"): bubbles}
