"""What processes counted."""

from __future__ import annotations

import math
from datetime import timedelta
from time import monotonic

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from web import timings

WRITE_SECONDS = 5.0
# Rows of processes that wrote nothing for so long are forgotten: they have ended.
DEAD = timedelta(seconds=60)
_written = -math.inf


class ProcessFigures(models.Model):
    """What one process counted since its start, as it last wrote it down; rows no longer refreshed are dead."""

    instance = models.CharField(max_length=80, primary_key=True)
    written_at = models.DateTimeField()
    figures = models.JSONField(help_text="As `web.timings` makes and reads them.")

    class Meta:
        verbose_name, verbose_name_plural = _("process's figures"), _("processes' figures")

    def __str__(self) -> str:
        return self.instance

    @classmethod
    def write(cls, *, every: float = WRITE_SECONDS) -> None:
        """Writes down what this process counted, unless it did so a moment ago."""
        global _written  # noqa: PLW0603  (one row a process)
        if monotonic() - _written < every:
            return
        _written, now = monotonic(), timezone.now()
        row = ProcessFigures(instance=timings.instance(), figures=timings.recorder.figures(), written_at=now)
        ProcessFigures.objects.bulk_create(
            [row], update_conflicts=True, unique_fields=["instance"], update_fields=["figures", "written_at"]
        )
        cls.objects.filter(written_at__lt=now - DEAD).delete()

    @classmethod
    def everywhere(cls) -> list[timings.Figures]:
        """Of every process that lives, this one's as they are now."""
        others = cls.objects.filter(written_at__gte=timezone.now() - DEAD).exclude(instance=timings.instance())
        return [timings.recorder.figures(), *others.values_list("figures", flat=True)]
