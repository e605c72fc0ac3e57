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

from orders import permissions
from orders.models import Customer
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


def open_for(customer: Customer) -> User:
    """Lets a customer sign in; the name is the e-mail. The caller's transaction holds the row. Raises Refusal."""
    if customer.user is not None:
        raise Refusal("has_account", _("This customer has an account already."), status=409)
    if not customer.email:
        detail = _("This customer has no e-mail, and the link to set the password goes there. Please enter one first.")
        raise Refusal("email_required", detail, attr="email")
    email = customer.email.lower()
    if len(email) > LONGEST_USERNAME:
        raise Refusal("email_too_long", _("This e-mail is too long for the name of an account."), attr="email")
    # A password nobody knows, not an unusable one: that could not be reset by e-mail either.
    user = _free_account(email) or make(email, email, customer.name, secrets.token_urlsafe(32))
    customer.user = user
    customer.save(update_fields=["user"])
    return user


def _free_account(email: str) -> User | None:
    """An account that was closed before, of the same address. Raises Refusal where another has the address."""
    found = User.objects.filter(email__iexact=email) | User.objects.filter(username__iexact=email)
    user = found.select_related("driver", "customer").first()
    if user is None:
        return None
    if user.username != email or user.email.lower() != email or _has_use(user):
        detail = _("There is an account with this e-mail already: “%s”.") % user.username
        raise Refusal("email_taken", detail, attr="email", status=409)
    # Whoever had it before may be somebody else: password, sessions and tokens end.
    user.set_password(secrets.token_urlsafe(32))
    user.is_active = True
    user.save(update_fields=["is_active", "password"])
    return user


def _has_use(user: User) -> bool:
    return user.is_staff or user.is_superuser or hasattr(user, "driver") or hasattr(user, "customer")


def close_for(customer: Customer) -> None:
    """The customer can sign in no more. The caller's transaction holds the row."""
    user = customer.user
    if user is None:
        raise Refusal("no_account", _("This customer has no account."), status=409)
    customer.user = None
    customer.save(update_fields=["user"])
    user = User.objects.get(pk=user.pk)
    if not _has_use(user):
        user.is_active = False
        user.save(update_fields=["is_active"])


def send_link(user: User, language: str | None = None) -> None:
    """Mails the link under which the password is set. Raises OSError (SMTPException is one) where it cannot."""
    uid, token = urlsafe_base64_encode(force_bytes(user.pk)), default_token_generator.make_token(user)
    link = settings.SITE_URL + reverse("password_reset_confirm", args=[uid, token])
    with translation.override(language or translation.get_language()):
        text = render_to_string("registration/invitation_email.txt", {"user": user, "link": link})
        send_mail(str(_("Lucky Gas: your account")), text, None, [user.email])


def role_of(user: User) -> str:
    """For lists of accounts; needs `driver` and `customer` read with them."""
    role = permissions.main_role(user)
    return str(role.label) if role else ""
