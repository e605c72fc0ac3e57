"""The composition root as an app: it brings the system checks of the settings."""

from __future__ import annotations

from axes.apps import AppConfig as AxesConfig
from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class LuckyGasConfig(AppConfig):
    name = "luckygas"

    def ready(self) -> None:
        from luckygas import checks, sms_checks  # noqa: F401  (registers the checks)


class SignInConfig(AxesConfig):  # type: ignore[misc]  # django-axes has no types
    verbose_name = _("Signing in")
