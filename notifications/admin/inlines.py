"""Messages on the pages of what they are about."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from customers.admin import CustomerAdmin
from notifications.admin.columns import MessageColumns
from notifications.models import NotificationHistory
from orders.admin.order import OrderAdmin
from web.admin.base import ReadOnly
from web.ids import is_id

if TYPE_CHECKING:
    Inline = admin.TabularInline[NotificationHistory, Any]
else:
    Inline = admin.TabularInline

NEWEST = 50


class Messages(ReadOnly, MessageColumns, Inline):
    model = NotificationHistory
    show_change_link = True
    extra = 0
    verbose_name_plural = _("messages to the customer")


class MessageInline(Messages):
    """What the customer of an order was told, on the order's page."""

    fields = readonly_fields = ("created_at", "kind", "masked", "badge", "status_reason", "cost")


class CustomerMessages(Messages):
    """The newest of a customer, with a link to all."""

    fields = readonly_fields = ("created_at", "kind", "order", "masked", "badge", "status_reason", "cost")
    template = "admin/notifications/customer_messages.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[NotificationHistory]:
        rows = super().get_queryset(request).select_related("order")
        customer = (request.resolver_match.kwargs if request.resolver_match else {}).get("object_id", "")
        if not is_id(customer):
            return rows.none()
        return rows.filter(pk__in=rows.filter(customer=customer).order_by("-created_at", "-id").values("pk")[:NEWEST])


# These pages belong to an app on the left; what they show of messages is added from here.
OrderAdmin.inlines = [*OrderAdmin.inlines, MessageInline]
CustomerAdmin.inlines = [*CustomerAdmin.inlines, CustomerMessages]
