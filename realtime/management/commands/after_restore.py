"""`manage.py after_restore`: says goodbye to what a restored database does not know."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db.models import Q
from django.utils.translation import gettext as _

from notifications.models import NotificationHistory
from notifications.states import Reason, Status, Type
from realtime import log


class Command(BaseCommand):
    """To be run once behind a restore, before a sender starts."""

    help = _("Run after a backup was restored. Clients reload, and SMS that may have been sent are not sent twice.")

    def handle(self, *args: Any, **options: Any) -> None:
        log.begin_epoch(log.head(), keeps_past=False)
        # Since the backup a sender may have been at what was due by now. What waits for later was not sent.
        due = Q(pk__in=NotificationHistory.objects.due().values("pk"))
        held = sum(map(hold, list(NotificationHistory.objects.filter(Q(status=Status.SENDING) | due))))
        self.stdout.write(
            _("The event log starts again. %d messages that may have been sent since the backup are now unknown.")
            % held
        )


def hold(row: NotificationHistory) -> bool:
    """`unknown`: `query_sms_status` repeats it where the provider knows its key, else a person decides."""
    gateway = row.gateway or (settings.SMS_GATEWAY if row.type == Type.SMS else "")
    return row.move(row.status, Status.UNKNOWN, status_reason=Reason.INTERRUPTED, gateway=gateway)
