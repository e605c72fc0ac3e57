"""What happened to an order, on its page: read, never written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from orders import proof_images
from orders.admin.badges import badge
from orders.models import DeliveryConfirmation, Order, OrderStatusChange, ProofImage
from web.admin import ReadOnly

if TYPE_CHECKING:
    from django.http import HttpRequest

    Inline = admin.TabularInline[Any, Order]
else:
    Inline = admin.TabularInline


class ReadOnlyInline(ReadOnly, Inline):
    """Whoever sees the order sees this."""

    extra = 0

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("by")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("orders.view_order")


class HistoryInline(ReadOnlyInline):
    model = OrderStatusChange
    fields = readonly_fields = ("before", "after", "who", "source", "reason", "at", "recorded_at", "remark")
    verbose_name_plural = _("history")

    @admin.display(description=_("from"))
    def before(self, row: OrderStatusChange) -> str:
        return badge(row.from_status) if row.from_status else "–"

    @admin.display(description=_("to"))
    def after(self, row: OrderStatusChange) -> str:
        return badge(row.to_status)

    @admin.display(description=_("by"))
    def who(self, row: OrderStatusChange) -> str:
        return (row.by.get_full_name() or row.by.get_username()) if row.by else "–"

    @admin.display(description=_("remark"))
    def remark(self, row: OrderStatusChange) -> Any:
        return _("sent later, from offline") if row.sent_later else ""


class ConfirmationInline(ReadOnlyInline):
    model = DeliveryConfirmation
    fields = readonly_fields = ("attempt", "confirmation_type", "serials", "confirmed_at", "by")

    @admin.display(description=_("cylinder serials"))
    def serials(self, row: DeliveryConfirmation) -> str:
        return ", ".join(map(str, row.cylinder_serials)) or "–"


class ProofImageInline(ReadOnlyInline):
    model = ProofImage
    fields = readonly_fields = ("attempt", "kind", "shown", "by", "uploaded_at")

    @admin.display(description=_("image"))
    def shown(self, row: ProofImage) -> str:
        url = reverse(proof_images.URL_NAME, args=[row.order_id, row.pk])
        return format_html('<a href="{}"><img class="proof" src="{}" alt="{}" loading="lazy"></a>', url, url, row)
