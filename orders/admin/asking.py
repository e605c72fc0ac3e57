"""A page between a button and what it does: it says on what, asks for what is needed, and posts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.template.response import TemplateResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from orders.models import Driver, Order
from orders.services import Outcome

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin
    from django.http import HttpRequest, HttpResponse

MOST_SHOWN = 20


class DriverForm(forms.Form):
    driver = forms.ModelChoiceField(Driver.objects.filter(is_active=True), label=_("Driver"))


class ReasonForm(forms.Form):
    reason = forms.CharField(label=_("Reason"), max_length=500, widget=forms.Textarea(attrs={"rows": 3}))


def ask(
    request: HttpRequest,
    model_admin: ModelAdmin[Any],
    *,
    title: str,
    form: forms.Form,
    subjects: Sequence[object],
    back: str,
    hidden: Sequence[tuple[str, object]] = (),
) -> HttpResponse:
    """`hidden` are further fields of the post; `back` is where “no” leads."""
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "title": title,
        "form": form,
        "media": model_admin.media + form.media,
        "subjects": subjects[:MOST_SHOWN],
        "more": max(0, len(subjects) - MOST_SHOWN),
        "back": back,
        "hidden": hidden,
    }
    return TemplateResponse(request, "admin/ask.html", context)


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
