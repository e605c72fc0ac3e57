"""Accounts of customers: opened and closed by the office, or found again by their e-mail."""

from __future__ import annotations

import secrets

from django.contrib.auth.models import User
from django.utils.translation import gettext_lazy as _

from accounts import users
from customers.models import Customer
from web.refusals import Refusal


def open_for(customer: Customer) -> User:
    """Lets a customer sign in; the name is the e-mail. The caller's transaction holds the row. Raises Refusal."""
    if customer.user is not None:
        raise Refusal("has_account", _("This customer already has an account."), status=409)
    if not customer.email:
        detail = _("This customer has no e-mail. Please enter one first: we send the link to set a password there.")
        raise Refusal("email_required", detail, attr="email")
    email = customer.email.lower()
    if len(email) > users.LONGEST_USERNAME:
        raise Refusal(
            "email_too_long",
            _("This e-mail is too long for an account name. Please enter a shorter one."),
            attr="email",
        )
    # A password nobody knows, not an unusable one: that could not be reset by e-mail either.
    user = _free_account(email) or users.make(email, email, customer.name, secrets.token_urlsafe(32))
    customer.user = user
    customer.save(update_fields=["user"])
    return user


def _free_account(email: str) -> User | None:
    """An account that was closed before, of the same address. Raises Refusal where another has the address."""
    found = User.objects.filter(email__iexact=email) | User.objects.filter(username__iexact=email)
    user = found.select_related("driver", "customer").first()
    if user is None:
        return None
    if user.username != email or user.email.lower() != email or users.has_use(user):
        detail = _("The account “%s” already uses this e-mail.") % user.username
        raise Refusal("email_taken", detail, attr="email", status=409)
    # Whoever had it before may be somebody else: password, sessions and tokens end.
    user.set_password(secrets.token_urlsafe(32))
    user.is_active = True
    user.save(update_fields=["is_active", "password"])
    return user


def close_for(customer: Customer) -> None:
    """The customer can sign in no more. The caller's transaction holds the row."""
    user = customer.user
    if user is None:
        raise Refusal("no_account", _("This customer has no account."), status=409)
    customer.user = None
    customer.save(update_fields=["user"])
    user = User.objects.get(pk=user.pk)
    if not users.has_use(user):
        user.is_active = False
        user.save(update_fields=["is_active"])
