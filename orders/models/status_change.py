"""The history of an order."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from orders.states import Status
from web.actors import Source

# What is reported within this came by a slow line, or from a clock that is a little slow.
SENT_AT_ONCE = timedelta(minutes=1)


class OrderStatusChange(models.Model):
    """One move of an order, written in the transaction of the move. `from_status` is empty for the creation.

    `at` is when it happened, `recorded_at` when we learned of it (a driver without signal reports later). `ref` is the
    client's own name for the command: the same user's same `ref` is answered from this row, not done again.
    """

    order = models.ForeignKey("orders.Order", models.CASCADE, related_name="history", verbose_name=_("order"))
    from_status = models.CharField(_("from"), max_length=12, choices=Status, blank=True)
    to_status = models.CharField(_("to"), max_length=12, choices=Status)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("by")
    )
    source = models.CharField(_("source"), max_length=12, choices=Source)
    reason = models.CharField(_("reason"), max_length=500, blank=True)
    at = models.DateTimeField(_("at"))
    recorded_at = models.DateTimeField(_("recorded at"), default=timezone.now, editable=False)
    details = models.JSONField(_("details"), default=dict, blank=True, encoder=DjangoJSONEncoder)
    version = models.PositiveIntegerField(_("version"))
    ref = models.CharField(max_length=64, null=True, blank=True, editable=False)

    class Meta:
        verbose_name, verbose_name_plural = _("status change"), _("status changes")
        constraints = [models.UniqueConstraint(fields=["by", "ref"], name="one_command_a_ref")]
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.from_status or '–'} → {self.to_status}"

    @property
    def sent_later(self) -> bool:
        """Whether it was done without a line, and reported when there was one again."""
        return self.recorded_at - self.at > SENT_AT_ONCE
