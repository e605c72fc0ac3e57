"""`manage.py record_metrics`: the hourly snapshot of the figures."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.utils.translation import gettext as _

from health import history


class Command(BaseCommand):
    """For a timer (cron) on one or several servers. Idempotent: a second run within the hour changes nothing."""

    help = _("Takes the hourly snapshot of the figures. Does nothing if this hour has one.")

    def handle(self, *args: Any, **options: Any) -> None:
        snapshot = history.record()
        self.stdout.write(_("Snapshot taken.") if snapshot else _("This hour already has a snapshot."))
