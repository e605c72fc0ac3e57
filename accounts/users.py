"""Accounts of drivers and customers: made by the office, their passwords set by e-mail."""

from __future__ import annotations

import secrets

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import send_mail
from django.db import IntegrityError, transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import gettext_lazy as _

from accounts.roles import side_of
from web.refusals import Refusal

LONGEST_USERNAME = 150  # the column of Django's User
PASSWORD_BYTES = 9  # 72 random bits, 12 characters: to be read from a screen once


def new_password() -> str:
    return secrets.token_urlsafe(PASSWORD_BYTES)


def make(username: str, email: str, name: str, password: str) -> User:
    """An account without any right of its own. Raises Refusal where the name is taken."""
    try:
        with transaction.atomic():
            return User.objects.create_user(username, email, password, first_name=name)
    except IntegrityError:
        detail = _("There is an account “%s” already; please choose another name.") % username
        raise Refusal("username_taken", detail, attr="username", status=409) from None


def may_manage(by: User, account: User) -> bool:
    """Staff without all rights manage the accounts that have none: else they could make themselves superusers."""
    return by.is_superuser or not (account.is_staff or account.is_superuser)


def check_may_manage(by: User, account: User) -> None:
    """Raises a Refusal unless `by` may link this account to a driver or customer."""
    if not may_manage(by, account):
        raise Refusal("forbidden", _("Only an administrator may use the account of staff."), attr="user", status=403)


def has_use(user: User) -> bool:
    """Whether somebody signs in with it for something."""
    return user.is_staff or user.is_superuser or hasattr(user, "driver") or hasattr(user, "customer")


def send_link(user: User, language: str | None = None) -> None:
    """Mails the link under which the password is set. Raises OSError (SMTPException is one) where it cannot."""
    uid, token = urlsafe_base64_encode(force_bytes(user.pk)), default_token_generator.make_token(user)
    link = settings.SITE_URL + reverse("password_reset_confirm", args=[uid, token])
    with translation.override(language or translation.get_language()):
        text = render_to_string("registration/invitation_email.txt", {"user": user, "link": link})
        send_mail(str(_("Lucky Gas: your account")), text, None, [user.email])


def role_of(user: User) -> str:
    """For lists of accounts; needs `driver` and `customer` read with them."""
    role = side_of(user)
    return str(role.label) if role else ""
