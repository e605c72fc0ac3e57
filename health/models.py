"""What is kept of the figures: each minute for the dashboard's last hour, each hour for longer."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

# The right to what is known of how the system runs.
SEE_HEALTH = "health.view_systemmetric"


class Minute(models.Model):
    """One minute of all servers. `figures`: as `health.samples` makes them; null: no server counted in it."""

    at = models.DateTimeField(_("begins at"), primary_key=True)
    figures = models.JSONField(_("figures"), null=True)
    failed_requests = models.PositiveIntegerField(_("failed requests"), default=0)

    class Meta:
        db_table = "system_minutes"
        verbose_name, verbose_name_plural = _("minute"), _("minutes")

    def __str__(self) -> str:
        return f"{self.at:%H:%M}"


class SystemMetric(models.Model):
    """An hourly snapshot, and what the minutes of the hour before it come to (`health.snapshots`)."""

    hour = models.DateTimeField(_("hour before"), unique=True, help_text=_("When the hour ended that is summed up."))
    metrics_json = models.JSONField(_("figures"))
    created_at = models.DateTimeField(_("taken at"))

    class Meta:
        db_table = "system_metrics"
        verbose_name, verbose_name_plural = _("hourly snapshot"), _("hourly snapshots")
        ordering = ("-hour",)

    def __str__(self) -> str:
        return f"{self.hour:%Y-%m-%d %H:%M}"
