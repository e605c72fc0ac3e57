"""The providers, for the office: which is stopped and why, what is left of its balance, and a button to go on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from accounts.pages import check_page
from notifications.models import GatewayState
from web.admin import Button, HouseAdmin


@admin.register(GatewayState)
class GatewayStateAdmin(HouseAdmin):
    list_display = ("gateway", "badge", "stopped_because", "stopped_at", "balance", "balance_at", "last_receipt_at")
    fields = readonly_fields = (*list_display, "doubted_because", "doubted_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A provider gets its row when there is something to know of it."""
        return False

    def buttons(self, request: HttpRequest, obj: GatewayState) -> Sequence[Button]:
        url = reverse("admin:notifications_gateway_start", args=[obj.pk])
        return [Button(_("Start again"), url)] if obj.stopped_at else []

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        context |= {"show_save": False, "show_save_and_continue": False}
        return super().render_change_form(request, context, *args, **kwargs)

    def get_urls(self) -> list[URLPattern]:
        start = self.admin_site.admin_view(self.start)
        return [path("<slug:pk>/start/", start, name="notifications_gateway_start"), *super().get_urls()]

    @method_decorator(require_POST)
    def start(self, request: HttpRequest, pk: str) -> HttpResponse:
        """What waited goes out at once."""
        state = get_object_or_404(GatewayState, pk=pk)
        check_page(request.user, "notifications.change_gatewaystate")
        if state.start():
            said = gettext("%s was started again; what waited is being sent.") % state
            self.log_change(request, state, said)
            self.message_user(request, said, messages.SUCCESS)
        else:
            self.message_user(request, gettext("%s was not stopped.") % state, messages.WARNING)
        return redirect("admin:notifications_gatewaystate_change", pk)

    @admin.display(description=_("state"), ordering="stopped_at")
    def badge(self, state: GatewayState) -> str:
        colour, word = "good", _("In order")
        if state.stopped_at:
            colour, word = "bad", _("Stopped")
        elif state.is_doubtful:
            colour, word = "warn", _("Answer not understood")
        return format_html('<span class="badge {}">{}</span>', colour, word)
