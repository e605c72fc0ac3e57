"""Columns of the order list, status badges, and a customer's recent orders."""

from __future__ import annotations

from django.contrib import admin
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.timesince import timesince
from django.utils.translation import gettext_lazy as _

from customers import phones
from customers.admin import CustomerAdmin
from customers.models import Customer
from orders.models import Order, Priority
from orders.states import OrderStatus

# Number of orders that a customer's page lists.
MAX_RECENT = 10
# The CSS class of each status, from `web/static/web/admin.css`. The SMS list uses the same classes.
BADGE_CLASS = {
    OrderStatus.PENDING: "waiting", OrderStatus.CONFIRMED: "plain", OrderStatus.ASSIGNED: "plain",
    OrderStatus.DELIVERING: "moving", OrderStatus.ARRIVING: "moving", OrderStatus.DELIVERED: "good",
    OrderStatus.FAILED: "bad", OrderStatus.CANCELLED: "over",
}  # fmt: skip


def badge(status: str) -> SafeString:
    known = OrderStatus(status)
    return format_html('<span class="badge {}">{}</span>', BADGE_CLASS[known], known.label)


def money(amount: int | None) -> str:
    return "–" if amount is None else f"NT${amount:,}"


class OrderColumns:
    @admin.display(description=_("status"), ordering="status")
    def badge(self, order: Order) -> str:
        if order.priority != Priority.URGENT:
            return badge(order.status)
        return format_html('{} <strong class="badge urgent">{}</strong>', badge(order.status), Priority.URGENT.label)

    @admin.display(description=_("customer"), ordering="customer__name")
    def customer_and_phone(self, order: Order) -> str:
        phone = phones.mask(order.customer.phone or order.customer.phone2)
        return format_html('{}<br><span class="narrow">{}</span>', order.customer.name, phone)

    @admin.display(description=_("items"))
    def items_in_short(self, order: Order) -> str:
        return ", ".join(f"{item.product.cylinder_kg}kg×{item.quantity}" for item in order.items.all())

    @admin.display(description=_("amount due"), ordering="amount_due")
    def amount(self, order: Order) -> str:
        return money(order.amount_due)

    @admin.display(description=_("when"), ordering="scheduled_date")
    def date_and_slot(self, order: Order) -> str:
        day = f"{order.scheduled_date.month}/{order.scheduled_date.day}"
        return format_html('{}<br><span class="narrow">{}</span>', day, order.get_time_slot_display())

    @admin.display(description=_("driver, route"), ordering="driver__name")
    def driver_and_route(self, order: Order) -> str:
        return format_html("{}<br>{}", order.driver or "–", order.route or "")

    @admin.display(description=_("age"), ordering="created_at")
    def age(self, order: Order) -> str:
        return timesince(order.created_at, timezone.now(), depth=1)


@admin.display(description=_("recent orders"))
def recent_orders(customer: Customer) -> str:
    orders = customer.orders.order_by("-scheduled_date", "-id")[:MAX_RECENT]
    rows = (
        (reverse("admin:orders_order_change", args=[order.pk]), order, order.scheduled_date, badge(order.status))
        for order in orders
    )
    links = format_html_join("", '<li><a href="{}">{}</a> {} {}</li>', rows)
    all_orders_url = reverse("admin:orders_order_changelist") + f"?customer__id__exact={customer.pk}"
    return format_html(
        '<ul class="plain-list">{}<li><a href="{}">{}</a></li></ul>', links, all_orders_url, _("All orders")
    )


CustomerAdmin.sections.append(recent_orders)
