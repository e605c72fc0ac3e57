"""Drivers, their vehicles and positions, and the routes of a day."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class DispatchConfig(AppConfig):
    name = "dispatch"
    verbose_name = _("Drivers and routes")

    def ready(self) -> None:
        from accounts import visibility
        from accounts.roles import driver_id
        from dispatch.models import Driver, Route

        # Drivers see their own record and routes.
        visibility.register(Driver, lambda user: Q(pk=driver_id(user) or 0))
        visibility.register(Route, lambda user: Q(driver=driver_id(user) or 0))
