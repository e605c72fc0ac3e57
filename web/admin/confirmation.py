"""A page between a button and what it does: it says on what, asks for what is needed, and posts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django import forms
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin
    from django.http import HttpRequest, HttpResponse

MOST_SHOWN = 20


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
