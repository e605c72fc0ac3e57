"""What became of a change of many orders, told to who asked for it."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from dispatch.models import Driver
from orders.models import Order
from orders.services import Outcome
from web.admin.confirmation import MOST_SHOWN

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin
    from django.http import HttpRequest


class DriverForm(forms.Form):
    driver = forms.ModelChoiceField(Driver.objects.filter(is_active=True), label=_("Driver"))


def tell(request: HttpRequest, model_admin: ModelAdmin[Any], outcome: Outcome, action: str) -> None:
    """How many were done, and which were refused and why, those of one reason together."""
    counts = {"action": action, "done": len(outcome.updated), "refused": len(outcome.failed)}
    level = messages.WARNING if outcome.failed else messages.SUCCESS
    model_admin.message_user(request, gettext("%(action)s: %(done)d done, %(refused)d refused.") % counts, level)
    numbers = Order.objects.in_bulk([failure["id"] for failure in outcome.failed])
    reasons: dict[str, list[str]] = defaultdict(list)
    for failure in outcome.failed:
        reasons[failure["detail"]].append(str(numbers.get(failure["id"], failure["id"])))
    for detail, refused in reasons.items():
        more = " …" if len(refused) > MOST_SHOWN else ""
        model_admin.message_user(request, f"{', '.join(refused[:MOST_SHOWN])}{more}: {detail}", messages.WARNING)
