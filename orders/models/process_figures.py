"""What processes counted."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class ProcessFigures(models.Model):
    """What one process counted since its start, as it last wrote it down; rows no longer refreshed are dead."""

    instance = models.CharField(max_length=80, primary_key=True)
    written_at = models.DateTimeField()
    figures = models.JSONField(help_text="As `orders.performance` makes and reads them.")

    class Meta:
        verbose_name, verbose_name_plural = _("process's figures"), _("processes' figures")

    def __str__(self) -> str:
        return self.instance
