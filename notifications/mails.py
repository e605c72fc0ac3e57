"""The e-mail that stands in for an SMS where a customer has no mobile number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _

if TYPE_CHECKING:
    from notifications.models import NotificationHistory

TEMPLATE = "customer/mail.txt"


def compose(row: NotificationHistory, text: str, language: str) -> str:
    """Subject, empty line, body: `text` is what an SMS would say, and below it stands what was ordered."""
    order = row.order
    with translation.override(language):
        words = {"sender": settings.SMS_SENDER, "order": order or "", "kind": row.get_kind_display()}
        subject = _("%(sender)s %(order)s: %(kind)s") % words
        context = {"text": text, "order": order, "items": order.items.select_related("product") if order else []}
        context |= {"link": settings.TRACKING_URL + order.tracking_token if order else "", **words}
        body = render_to_string(TEMPLATE, context)
    return " ".join(subject.split()) + "\n\n" + body.strip() + "\n"
