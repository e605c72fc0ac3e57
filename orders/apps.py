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
        from axes.signals import user_locked_out
        from django.contrib.auth.signals import user_login_failed
        from simple_history.signals import pre_create_historical_record
        from waffle.models import Switch

        from orders import attempts, flags, office, performance
        from orders.models import audit

        pre_create_historical_record.connect(audit.note, dispatch_uid="orders.audit")
        user_login_failed.connect(attempts.failed, dispatch_uid="orders.sign_in_failed")
        user_locked_out.connect(attempts.locked, dispatch_uid="orders.sign_in_locked")
        post_migrate.connect(office.grant, dispatch_uid="orders.office")
        post_save.connect(flags.switch_saved, sender=Switch, dispatch_uid="orders.flags")
        connection_created.connect(performance.connection_made, dispatch_uid="orders.performance")
