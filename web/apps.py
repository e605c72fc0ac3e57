"""Infrastructure without business rules for all apps: base classes of the admin and API, cache, metrics, throttling."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.db.models.signals import post_save
from django.utils.translation import gettext_lazy as _


class WebConfig(AppConfig):
    name = "web"
    verbose_name = _("System status")

    def ready(self) -> None:
        from simple_history.signals import pre_create_historical_record
        from waffle.models import Switch

        from web import audit, flags, timings

        pre_create_historical_record.connect(audit.fill_history_row, dispatch_uid="web.audit")
        post_save.connect(flags.switch_saved, sender=Switch, dispatch_uid="web.flags")
        connection_created.connect(timings.connection_made, dispatch_uid="web.timings")
