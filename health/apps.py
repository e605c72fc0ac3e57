"""Health checks, the hourly snapshot of figures, and the dashboard."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class HealthConfig(AppConfig):
    name = "health"
    verbose_name = _("Health")

    def ready(self) -> None:
        from health import history
        from web.system_metrics import new_minute

        new_minute.connect(history.on_new_minute, dispatch_uid="health.on_new_minute")
