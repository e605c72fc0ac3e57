"""Metrics of all servers: a row per minute for two days, a row per hour for 400 days, and counts already written."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class SystemMetric(models.Model):
    """The metrics of a minute (written by `web.system_metrics`) or of an hour (written by `health.history`)."""

    class Span(models.TextChoices):
        MINUTE = "minute", _("minute")
        HOUR = "hour", _("hour")

    span = models.CharField(max_length=6, choices=Span)
    at = models.DateTimeField(_("begins at"))
    metrics_json = models.JSONField(_("figures"), default=dict)
    created_at = models.DateTimeField(_("taken at"), default=timezone.now)

    class Meta:
        db_table = "system_metrics"
        verbose_name, verbose_name_plural = _("hourly snapshot"), _("hourly snapshots")
        ordering = ("-at",)
        constraints = [models.UniqueConstraint(fields=["span", "at"], name="one_row_a_span")]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M}"


class WrittenCounts(models.Model):
    """The counts of one process, or of those that share a directory, at the last write.

    The next write adds only the difference (`web.system_metrics`).
    """

    name = models.CharField(max_length=80, primary_key=True)
    at = models.DateTimeField(default=timezone.now)
    processes = models.PositiveIntegerField(default=1)
    counts = models.JSONField(default=dict)

    def __str__(self) -> str:
        return self.name
