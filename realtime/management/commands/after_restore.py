"""`manage.py after_restore`: prepares a restored database, before a sender starts."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db.models import Q
from django.utils.translation import gettext as _

from notifications.models import NotificationHistory
from notifications.states import MessageStatus, MessageType, Reason
from realtime import log
from web import system_metrics


class Command(BaseCommand):
    """Begins a new epoch of the log, and sets the status of SMS that may have been sent to `unknown`.

    With a shared metrics directory, skips the counts from before the restore.
    """

    help = _(
        "Run this once after restoring a backup. Clients reload, and messages that may have been sent are marked as "
        "unknown."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        log.begin_epoch(log.head(), keeps_past=False)
        system_metrics.count_from_now()
        # A sender may have sent the messages that became due since the backup. Those due later cannot have been sent.
        due = Q(pk__in=NotificationHistory.objects.due().values("pk"))
        count = sum(map(mark_unknown, list(NotificationHistory.objects.filter(Q(status=MessageStatus.SENDING) | due))))
        self.stdout.write(
            _(
                "The event log starts again. Messages that may have been sent since the backup, now marked as "
                "unknown: %d."
            )
            % count
        )


def mark_unknown(row: NotificationHistory) -> bool:
    """Sets a message's status to `unknown` and returns whether it changed.

    `query_sms_status` then retries the message if the provider is idempotent; otherwise a person decides.
    """
    gateway = row.gateway or (settings.SMS_GATEWAY if row.type == MessageType.SMS else "")
    return row.move(row.status, MessageStatus.UNKNOWN, status_reason=Reason.INTERRUPTED, gateway=gateway)
