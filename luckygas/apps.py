"""The app of the project package, and the apps of two libraries under other names in the admin.

At the start it registers the checks of settings, sets up structlog and shared metrics, and connects the watch for
waiting database sessions (`luckygas.lock_waiters`).
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
    """django-waffle, which the admin lists as “Switches”."""

    verbose_name = _("Switches")  # type: ignore[assignment]  # waffle declares a str


class SignInConfig(AxesConfig):  # type: ignore[misc]  # django-axes has no types
    verbose_name = _("Signing in")
