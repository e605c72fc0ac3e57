"""The business."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class OrdersConfig(AppConfig):
    name = "orders"
    verbose_name = _("Orders")

    def ready(self) -> None:
        from axes.signals import user_locked_out
        from django.contrib.auth.signals import user_login_failed

        from orders import attempts, office

        user_login_failed.connect(attempts.failed, dispatch_uid="orders.sign_in_failed")
        user_locked_out.connect(attempts.locked, dispatch_uid="orders.sign_in_locked")
        post_migrate.connect(office.grant, dispatch_uid="orders.office")
