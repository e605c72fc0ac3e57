"""Orders: how they are placed, moved and delivered, and their history."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_save
from django.utils.translation import gettext_lazy as _


class OrdersConfig(AppConfig):
    name = "orders"
    verbose_name = _("Orders")

    def ready(self) -> None:
        from accounts import visibility
        from catalogue.models import Product
        from customers.models import Customer
        from dispatch.models import Driver
        from orders import metrics, permissions, statistics
        from orders.models import Order
        from web.metrics import GAUGES

        visibility.register(Customer, permissions.customers_of_driver)
        visibility.register(Order, permissions.own_orders)
        GAUGES.append(metrics.orders_by_status)
        for sender in (Order, Product, Driver):
            post_save.connect(statistics.expire_statistics, sender=sender, dispatch_uid="orders.statistics")
