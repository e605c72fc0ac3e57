"""Orders: what was asked for, by whom, and what became of it."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class OrdersConfig(AppConfig):
    name = "orders"
    verbose_name = _("Orders")

    def ready(self) -> None:
        from accounts import visibility
        from customers.models import Customer
        from orders import permissions
        from orders.models import Order

        visibility.register(Customer, permissions.customers_of_driver)
        visibility.register(Order, permissions.own_orders)
