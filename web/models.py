"""The figures of all servers: of each minute for two days, of each hour for longer; and which are in them already."""

from __future__ import annotations

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class SystemMetric(models.Model):
    """A minute, as `web.system_metrics` writes it, or an hour, as `health.history` sums its minutes up."""

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
    """What processes that count together (`web.metrics`) had counted when it was last added to a minute."""

    name = models.CharField(max_length=80, primary_key=True)
    at = models.DateTimeField(default=timezone.now)
    processes = models.PositiveIntegerField(default=1)
    counts = models.JSONField(default=dict)

    def __str__(self) -> str:
        return self.name
