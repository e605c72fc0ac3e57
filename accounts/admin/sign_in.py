"""What the pages of accounts, drivers and customers share: letting someone sign in, and saying how it went."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.utils.translation import gettext

from accounts import users

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin
    from django.contrib.auth.models import User
    from django.http import HttpRequest

log = logging.getLogger(__name__)


def mail_link(request: HttpRequest, model_admin: ModelAdmin[Any], user: User, language: str | None = None) -> None:
    """After the commit: the link works only then, and the mail server is no part of the transaction."""
    try:
        users.send_link(user, language)
    except OSError:
        log.exception("No link to set the password could be mailed to user %s", user.pk)
        said = gettext("The e-mail to %s could not be sent. Please try again later.") % user.email
        model_admin.message_user(request, said, messages.ERROR)
    else:
        said = gettext("The account is “%(name)s”. The link to set its password was sent to %(email)s.")
        names = {"name": user.username, "email": user.email}
        model_admin.message_user(request, said % names, messages.SUCCESS)


def show_password(request: HttpRequest, model_admin: ModelAdmin[Any], user: User, password: str) -> None:
    said = gettext("The account is “%(name)s”, its password “%(password)s”. It is shown only now: please hand it on.")
    model_admin.message_user(request, said % {"name": user.username, "password": password}, messages.WARNING)


def renew_password(request: HttpRequest, model_admin: ModelAdmin[Any], user: User) -> None:
    """By the link in an e-mail; whoever has no e-mail gets a new password, which the reader hands on."""
    if user.email:
        mail_link(request, model_admin, user)
    else:
        password = users.new_password()
        user.set_password(password)
        user.save(update_fields=["password"])
        show_password(request, model_admin, user, password)
