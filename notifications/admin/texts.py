"""The texts of the messages, as the office edits them; what they cost is counted while it types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db import transaction
from django.forms import Script
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from accounts.pages import check_page
from notifications.models import MessageTemplate
from notifications.states import Kind
from notifications.texts import LONGEST_BODY, TEXTS, Preview, allowed
from web.admin import Button, HouseAdmin

if TYPE_CHECKING:
    from django.forms import ModelForm


@admin.register(MessageTemplate)
class MessageTemplateAdmin(HouseAdmin):
    list_display = ("__str__", "is_on", "chinese", "english")
    list_display_links = ("__str__",)
    fields = ("is_on", "placeholders", "body_zh", "body_en")
    readonly_fields = ("placeholders",)

    class Media:
        js = (Script("notifications/preview.js", type="module"),)
        css = {"all": ("notifications/preview.css",)}

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Every kind has its row already."""
        return False

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        MessageTemplate.make_missing()
        return super().changelist_view(request, *args, **kwargs)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        if obj is not None:
            self.prepare(form, Kind(obj.kind))
        return form

    def prepare(self, form: type[ModelForm[MessageTemplate]], kind: Kind) -> None:
        """The default shows where nothing is typed, and the script learns what to ask."""
        for language, name in MessageTemplate.BODIES.items():
            if field := form.base_fields.get(name):
                field.widget.attrs |= {
                    "rows": 4, "placeholder": TEXTS[language][kind], "data-language": language, "data-kind": kind.value,
                    "data-preview": reverse("admin:notifications_text_preview"),
                }  # fmt: skip

    @admin.display(description=_("Chinese text"))
    def chinese(self, row: MessageTemplate) -> str:
        return row.body("zh-hant")

    @admin.display(description=_("English text"))
    def english(self, row: MessageTemplate) -> str:
        return row.body("en")

    @admin.display(description=_("placeholders"))
    def placeholders(self, row: MessageTemplate) -> str:
        return " ".join(f"{{{name}}}" for name in allowed(row.kind))

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("preview/", wrap(self.preview), name="notifications_text_preview"),
            path("<int:pk>/default/", wrap(self.restore), name="notifications_text_default"),
            *super().get_urls(),
        ]

    def buttons(self, request: HttpRequest, obj: MessageTemplate) -> Sequence[Button]:
        return [Button(_("Restore the default"), reverse("admin:notifications_text_default", args=[obj.pk]))]

    @method_decorator(require_POST)
    def preview(self, request: HttpRequest) -> HttpResponse:
        """What a text would be at its longest, what it costs, and what is wrong with it. Changes nothing."""
        check_page(request.user, "notifications.view_messagetemplate")
        kind, language, body = (request.POST.get(name, "") for name in ("kind", "language", "body"))
        if kind not in Kind or language not in TEXTS or len(body) > 2 * LONGEST_BODY:
            return JsonResponse({"detail": gettext("Name a kind, a language and a text.")}, status=400)
        found = Preview(kind, language, body if body.strip() else TEXTS[language][Kind(kind)])
        return JsonResponse(
            {
                "text": found.text, "segments": found.segments, "points": found.segments, "cost": found.cost,
                "problems": found.problems,
            }
        )  # fmt: skip

    @method_decorator(require_POST)
    @method_decorator(transaction.atomic)
    def restore(self, request: HttpRequest, pk: int) -> HttpResponse:
        row = get_object_or_404(MessageTemplate.objects.select_for_update(no_key=True), pk=pk)
        check_page(request.user, "notifications.change_messagetemplate")
        row.body_zh = row.body_en = ""
        row.save()
        said = gettext("The default texts are sent again.")
        self.log_change(request, row, said)
        self.message_user(request, said, messages.SUCCESS)
        return redirect("admin:notifications_messagetemplate_change", pk)
