"""What the lists of messages share."""

from __future__ import annotations

from django.contrib import admin
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from notifications.models import NotificationHistory
from notifications.states import Status

# Class of `web/static/web/admin.css`.
COLOUR = {
    Status.PENDING: "waiting", Status.SENDING: "moving", Status.SENT: "good", Status.DELIVERED: "good",
    Status.FAILED: "bad", Status.EXPIRED: "bad", Status.UNKNOWN: "warn", Status.SUPPRESSED: "plain",
    Status.CANCELLED: "over",
}  # fmt: skip


class MessageColumns:
    @admin.display(description=_("status"), ordering="status")
    def badge(self, row: NotificationHistory) -> str:
        known = Status(row.status)
        return format_html('<span class="badge {}">{}</span>', COLOUR[known], known.label)

    @admin.display(description=_("recipient"))
    def masked(self, row: NotificationHistory) -> str:
        return row.masked_recipient

    @admin.display(description=_("cost"))
    def cost(self, row: NotificationHistory) -> str:
        """What the provider charged; where it did not say, what it is likely to."""
        if row.points is not None:
            return gettext("%s points") % f"{row.points.normalize():f}"
        return ngettext("%d segment", "%d segments", row.segments) % row.segments if row.segments else "–"
