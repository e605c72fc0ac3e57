"""Every message to a customer, for the office: to be read and sent again, never written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from notifications import resending
from notifications.models import NotificationHistory, NotificationQuerySet
from notifications.states import Status
from orders import numbers
from orders.admin.base import Button, HouseChangeList, user_of
from orders.admin.order import OrderAdmin
from orders.models import Order
from orders.models.queries import phone_part
from orders.refusals import Refusal

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[NotificationHistory]
    Inline = admin.TabularInline[NotificationHistory, Order]
else:
    ModelAdmin, Inline = admin.ModelAdmin, admin.TabularInline

# Class of `orders/static/orders/admin.css`.
COLOUR = {
    Status.PENDING: "waiting", Status.SENDING: "moving", Status.SENT: "good", Status.DELIVERED: "good",
    Status.FAILED: "bad", Status.EXPIRED: "bad", Status.UNKNOWN: "warn", Status.SUPPRESSED: "plain",
    Status.CANCELLED: "over",
}  # fmt: skip
# An SMS costs money: more at once is a matter for `resend_sms`.
MOST_AT_ONCE = 100
COLUMNS = (
    "kind", "order", "customer", "type", "content", "status", "status_reason", "error_message", "gateway",
    "provider_message_id", "raw_status", "segments", "attempts", "delivery_attempt", "send_after", "resend_of",
    "requested_by", "created_at", "claimed_at", "sent_at", "delivered_at",
)  # fmt: skip


class ReadOnly:
    """Nobody writes history, whatever their rights."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description=_("status"), ordering="status")
    def badge(self, row: NotificationHistory) -> str:
        known = Status(row.status)
        return format_html('<span class="badge {}">{}</span>', COLOUR[known], known.label)

    @admin.display(description=_("recipient"))
    def masked(self, row: NotificationHistory) -> str:
        return row.masked_recipient


@admin.register(NotificationHistory)
class NotificationAdmin(ReadOnly, ModelAdmin):
    list_display = (
        "created_at", "kind", "order_link", "customer", "masked", "badge", "status_reason", "gateway", "segments",
    )  # fmt: skip
    list_select_related = ("order", "customer")
    list_filter = ("kind", "status", "gateway", "created_at")
    list_per_page = MOST_AT_ONCE
    search_fields = ("recipient",)  # opens the field; what is searched is said in `get_search_results`
    search_help_text = _("Order number, customer, or the last digits of the telephone")
    show_full_result_count = False
    actions = ("send_again",)
    change_form_template = "admin/house_change_form.html"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[HouseChangeList]:
        return HouseChangeList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[NotificationHistory], search_term: str
    ) -> tuple[QuerySet[NotificationHistory], bool]:
        text = search_term.strip()[:100]
        found = Q(order__order_number__contains=numbers.as_typed(text)) | Q(customer__name__icontains=text)
        if part := phone_part(text):
            found |= Q(recipient__contains=part)
        return queryset.filter(found) if text else queryset, False

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        url = reverse("admin:notifications_resend", args=[context["original"].pk])
        context["buttons"] = [Button(_("Send again"), url)]
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description=_("order"), ordering="order")
    def order_link(self, row: NotificationHistory) -> str:
        if row.order is None:
            return "–"
        return format_html('<a href="{}">{}</a>', reverse("admin:orders_order_change", args=[row.order_id]), row.order)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        whole = request.user.has_perm("notifications.view_full_number")
        return ("recipient" if whole else "masked", *COLUMNS)

    def get_urls(self) -> list[URLPattern]:
        again = self.admin_site.admin_view(self.send_one_again)
        return [path("<uuid:pk>/resend/", again, name="notifications_resend"), *super().get_urls()]

    @admin.action(description=_("Send again"), permissions=["view"])
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
        if self.has_view_permission(request, row):
            row = self.resend(request, row)
        return redirect("admin:notifications_notificationhistory_change", row.pk)

    def resend(self, request: HttpRequest, row: NotificationHistory) -> NotificationHistory:
        """Sends one again, or says why not; the outcome itself is told by the middleware."""
        try:
            return resending.resend(row, by=user_of(request))
        except Refusal as refusal:
            self.message_user(request, f"{row.order or ''} {row}: {refusal}", messages.WARNING)
            return row


class MessageInline(ReadOnly, Inline):
    """What the customer of an order was told, on the order's page."""

    model = NotificationHistory
    fields = readonly_fields = ("created_at", "kind", "masked", "badge", "status_reason", "segments")
    show_change_link = True
    extra = 0
    verbose_name_plural = _("messages to the customer")


# The page of an order belongs to an app on the left; what it shows of messages is added from here.
OrderAdmin.inlines = [*OrderAdmin.inlines, MessageInline]
