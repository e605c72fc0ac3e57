"""The business."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate, post_save
from django.utils.translation import gettext_lazy as _


class OrdersConfig(AppConfig):
    name = "orders"
    verbose_name = _("Orders")

    def ready(self) -> None:
        from waffle.models import Switch

        from orders import flags, office, performance

        post_migrate.connect(office.grant, dispatch_uid="orders.office")
        post_save.connect(flags.switch_saved, sender=Switch, dispatch_uid="orders.flags")
        connection_created.connect(performance.connection_made, dispatch_uid="orders.performance")
