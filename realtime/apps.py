"""The app for live updates. Connects its signal receivers and registers the functions that other apps call."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RealtimeConfig(AppConfig):
    name = "realtime"
    verbose_name = _("Real time")

    def ready(self) -> None:
        from dispatch import presence as orders_presence
        from realtime import log, presence, receivers, statistics
        from web import log_position
        from web.metrics import GAUGES

        receivers.connect()
        log_position.provide(log.position)
        orders_presence.provide(presence.online_driver_ids)
        GAUGES.append(statistics.gauges)
