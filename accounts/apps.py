"""Accounts: sign-in, roles, passwords and tokens."""

from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "accounts"
    verbose_name = _("Accounts")

    def ready(self) -> None:
        from axes.signals import user_locked_out
        from django.contrib.auth.signals import user_login_failed

        from accounts import attempts

        user_login_failed.connect(attempts.failed, dispatch_uid="accounts.sign_in_failed")
        user_locked_out.connect(attempts.locked, dispatch_uid="accounts.sign_in_locked")
