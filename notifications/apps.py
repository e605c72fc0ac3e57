"""SMS and e-mail messages to customers."""

from __future__ import annotations

from django.apps import AppConfig
from django.core.signals import setting_changed
from django.db.models.signals import post_save
from django.utils.translation import gettext_lazy as _


class NotificationsConfig(AppConfig):
    name = "notifications"
    verbose_name = _("Messages to customers")

    def ready(self) -> None:
        from waffle.models import Switch

        from notifications import gateways, queue, statistics
        from notifications.models import gateway_changed
        from orders.models import Order
        from web.metrics import GAUGES

        post_save.connect(queue.on_order_saved, sender=Order, dispatch_uid="notifications.order_saved")
        gateway_changed.connect(queue.on_gateway_changed, dispatch_uid="notifications.gateway_changed")
        post_save.connect(queue.on_switch_saved, sender=Switch, dispatch_uid="notifications.switch_saved")
        setting_changed.connect(gateways.drop_gateways, dispatch_uid="notifications.gateway")
        GAUGES.append(statistics.gauges)
