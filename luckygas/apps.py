"""The composition root as an app: it brings the system checks of the settings, and what is counted of every process."""

from __future__ import annotations

from pathlib import Path

from django.apps import AppConfig
from django.conf import settings


class LuckyGasConfig(AppConfig):
    name = "luckygas"

    def ready(self) -> None:
        from luckygas import checks, logs, multiprocess, sms_checks  # noqa: F401  (registers the checks)

        if settings.PROMETHEUS_MULTIPROC_DIR:
            multiprocess.share(Path(settings.PROMETHEUS_MULTIPROC_DIR))
        logs.configure_structlog(settings.LOG_FORMAT)

        from luckygas import metrics

        metrics.time_sql()
