"""Every message to a customer, for the office: to be read and sent again, never written."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import PAGE_VAR
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from accounts.pages import check_page
from customers import phones
from customers.search import telephones
from notifications import resending
from notifications.admin.columns import MessageColumns
from notifications.admin.export import answer
from notifications.admin.timeline import next_step, reason_in_words, story
from notifications.admin.totals import totals
from notifications.models import GatewayState, NotificationHistory, NotificationQuerySet
from orders import numbers
from web import flags
from web.admin.base import Button, HouseList, ReadOnly, user_of
from web.refusals import Refusal
from web.text import visible

# An SMS costs money: more at once is a matter for `resend_sms`.
MOST_AT_ONCE = 100
EXPORT = "notifications.export_notificationhistory"
STORY = ("badge", "why", "kind", "order_link", "customer_link", "content", "trail", "cost")
DETAILS = (
    "type", "gateway", "provider_message_id", "raw_status", "attempts", "delivery_attempt", "happened_at",
    "send_after", "overruled", "caused_by", "requested_by", "resend_of", "created_at", "claimed_at", "sent_at",
    "delivered_at", "request_id",
)  # fmt: skip


def is_uuid(text: str) -> bool:
    return re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text) is not None


@admin.register(NotificationHistory)
class NotificationAdmin(ReadOnly, MessageColumns, HouseList):
    is_pk = staticmethod(is_uuid)
    list_display = (
        "created_at", "kind", "order_link", "customer", "masked", "badge", "status_reason", "gateway", "cost",
    )  # fmt: skip
    asked_for = ("order",)
    date_hierarchy = "created_at"
    list_select_related = ("order", "customer")
    list_filter = ("kind", "status", "status_reason", "gateway", "created_at")
    list_per_page = MOST_AT_ONCE
    search_fields = ("recipient",)  # opens the field; what is searched is said in `get_search_results`
    search_help_text = _("Order number, customer, or the last digits of the telephone")
    show_full_result_count = False
    actions = ("send_again",)
    change_form_template = "admin/house_change_form.html"

    class Media:
        css = {"all": ("notifications/history.css",)}

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        response = super().changelist_view(request, extra_context)
        if changes := getattr(response, "context_data", {}).get("cl"):
            response.context_data |= {
                "totals": totals(changes.queryset),
                "switched_off": not flags.on(flags.SMS),
                "stopped": GatewayState.objects.filter(stopped_at__isnull=False),
                "export": self.export_url(changes) if request.user.has_perm(EXPORT) else "",
            }
        return response

    def export_url(self, changes: Any) -> str:
        return reverse("admin:notifications_export") + str(changes.get_query_string(remove=[PAGE_VAR]))

    def export(self, request: HttpRequest) -> HttpResponseBase:
        """What the list shows with these filters, all its pages, as CSV."""
        check_page(request.user, EXPORT)
        try:
            changes = self.get_changelist_instance(request)
        except IncorrectLookupParameters:
            return redirect("admin:notifications_notificationhistory_changelist")
        return answer(request, changes.queryset)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[NotificationHistory], search_term: str
    ) -> tuple[QuerySet[NotificationHistory], bool]:
        text = visible(search_term).strip()[:100]
        found = Q(order__order_number__contains=numbers.as_typed(text)) | Q(customer__name__icontains=text)
        if request.user.has_perm("notifications.view_full_number"):
            found |= telephones(text, "contains", "recipient")
        else:  # they see masked numbers, and search in what they see: digit by digit, they would find the rest
            for part in phones.searched(text):
                found |= Q(recipient__endswith=part[-phones.SHOWN_AT_END :])
        return queryset.filter(found) if text else queryset, False

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        row = context["original"]
        _words, possible, against_rules = next_step(row)
        possible &= self.has_resend_permission(request, overrule=against_rules)
        label = _("Send nevertheless") if against_rules else _("Send again")
        url = reverse("admin:notifications_resend", args=[row.pk])
        context["buttons"] = [Button(label, url, hidden={"overrule": "yes"} if against_rules else {})] * possible
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description=_("order"), ordering="order")
    def order_link(self, row: NotificationHistory) -> str:
        if row.order is None:
            return "–"
        return format_html('<a href="{}">{}</a>', reverse("admin:orders_order_change", args=[row.order_id]), row.order)

    @admin.display(description=_("customer"))
    def customer_link(self, row: NotificationHistory) -> str:
        page = reverse("admin:customers_customer_change", args=[row.customer_id])
        return format_html('<a href="{}">{}</a>', page, row.customer)

    @admin.display(description=_("what happened"))
    def trail(self, row: NotificationHistory) -> str:
        return story(row)

    @admin.display(description=_("reason"))
    def why(self, row: NotificationHistory) -> str:
        return reason_in_words(row) or "–"

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        whole = request.user.has_perm("notifications.view_full_number")
        first = ("recipient" if whole else "masked", *STORY)
        return [(None, {"fields": first}), (_("Details"), {"fields": DETAILS, "classes": ["collapse"]})]

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<uuid:pk>/resend/", wrap(self.send_one_again), name="notifications_resend"),
            path("export/", wrap(self.export), name="notifications_export"),
            *super().get_urls(),
        ]

    def has_resend_permission(self, request: HttpRequest, *, overrule: bool = False) -> bool:
        return self.has_view_permission(request) and request.user.has_perms(resending.asked(overrule=overrule))

    @admin.action(description=_("Send again"), permissions=["resend"])
    def send_again(self, request: HttpRequest, rows: NotificationQuerySet) -> None:
        chosen = list(rows.select_related("order", "customer")[: MOST_AT_ONCE + 1])
        if len(chosen) > MOST_AT_ONCE:
            said = gettext("At most %d messages at once; nothing was sent.") % MOST_AT_ONCE
            self.message_user(request, said, messages.ERROR)
            return
        # One transaction is one wait for the senders, however many messages.
        with transaction.atomic():
            for row in chosen:
                self.resend(request, row)

    @method_decorator(require_POST)
    def send_one_again(self, request: HttpRequest, pk: UUID) -> HttpResponse:
        row = get_object_or_404(NotificationHistory.objects.select_related("order", "customer"), pk=pk)
        overrule = request.POST.get("overrule") == "yes"
        for right in resending.asked(overrule=overrule):
            check_page(request.user, right)
        row = self.resend(request, row, overrule=overrule)
        return redirect("admin:notifications_notificationhistory_change", row.pk)

    def resend(self, request: HttpRequest, row: NotificationHistory, *, overrule: bool = False) -> NotificationHistory:
        """Sends one again, or says why not; the outcome itself is told by the middleware."""
        try:
            return resending.resend(row, by=user_of(request), overrule=overrule)
        except Refusal as refusal:
            self.message_user(request, f"{row.order or ''} {row}: {refusal}", messages.WARNING)
            return row
