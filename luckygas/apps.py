"""The composition root as an app.

Registers the checks of settings, and starts logging, shared metrics and the watch for waiting database sessions.
"""

from __future__ import annotations

from axes.apps import AppConfig as AxesConfig
from django.apps import AppConfig
from django.conf import settings
from django.utils.translation import gettext_lazy as _
from waffle.apps import WaffleConfig


class LuckyGasConfig(AppConfig):
    name = "luckygas"

    def ready(self) -> None:
        from luckygas import checks, lock_waiters, logs  # noqa: F401  (registers the checks)
        from web import metrics

        if directory := metrics.directory():
            metrics.use_directory(directory)
        logs.configure_structlog(settings.LOG_FORMAT)
        lock_waiters.connect()


class SwitchesConfig(WaffleConfig):
    """django-waffle with our name in the admin."""

    verbose_name = _("Switches")  # type: ignore[assignment]  # waffle declares a str


class SignInConfig(AxesConfig):  # type: ignore[misc]  # django-axes has no types
    verbose_name = _("Signing in")
