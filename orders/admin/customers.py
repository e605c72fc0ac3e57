"""The newest orders of a customer, on the customer's page."""

from __future__ import annotations

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _

from customers.admin import CustomerAdmin
from customers.models import Customer
from orders.admin.badges import badge

RECENT = 10


@admin.display(description=_("recent orders"))
def recent_orders(customer: Customer) -> str:
    orders = customer.orders.order_by("-scheduled_date", "-id")[:RECENT]
    rows = (
        (reverse("admin:orders_order_change", args=[order.pk]), order, order.scheduled_date, badge(order.status))
        for order in orders
    )
    links = format_html_join("", '<li><a href="{}">{}</a> {} {}</li>', rows)
    whole = reverse("admin:orders_order_changelist") + f"?customer__id__exact={customer.pk}"
    return format_html('<ul class="plain-list">{}<li><a href="{}">{}</a></li></ul>', links, whole, _("All orders"))


CustomerAdmin.sections.append(recent_orders)
