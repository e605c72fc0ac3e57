"""The composition root as an app: it brings the system checks of the settings."""

from __future__ import annotations

from django.apps import AppConfig


class LuckyGasConfig(AppConfig):
    name = "luckygas"

    def ready(self) -> None:
        from luckygas import checks, sms_checks  # noqa: F401  (registers the checks)
