"""Customers' accounts, which the office opens and closes."""

from __future__ import annotations

import secrets

from django.contrib.auth.models import User
from django.utils.translation import gettext_lazy as _

from accounts import users
from customers.models import Customer
from web.refusals import Refusal


def open_account(customer: Customer) -> User:
    """Creates the customer's account, or reactivates a closed one. Its name is the customer's e-mail.

    The caller must hold the lock on the customer's row. Raises Refusal if the customer already has an account, if the
    e-mail is missing or too long, or if an account that cannot be reactivated has it.
    """
    if customer.user is not None:
        raise Refusal("has_account", _("This customer already has an account."), status=409)
    if not customer.email:
        detail = _(
            "This customer has no e-mail. Please enter one first: the link to set a password goes to that address."
        )
        raise Refusal("email_required", detail, attr="email")
    email = customer.email.lower()
    if len(email) > users.LONGEST_USERNAME:
        raise Refusal(
            "email_too_long",
            _("This e-mail is too long for an account name. Please enter a shorter one."),
            attr="email",
        )
    # A random password, because Django does not reset an unusable one by e-mail.
    user = _reactivate_account(email) or users.create_account(email, email, customer.name, secrets.token_urlsafe(32))
    customer.user = user
    customer.save(update_fields=["user"])
    return user


def _reactivate_account(email: str) -> User | None:
    """Reactivates the closed account with this e-mail and returns it; None if no account has the e-mail.

    Raises Refusal if the account is in use, or if its name and its e-mail are not both this e-mail.
    """
    found = User.objects.filter(email__iexact=email) | User.objects.filter(username__iexact=email)
    user = found.select_related("driver", "customer").first()
    if user is None:
        return None
    if user.username != email or user.email.lower() != email or users.is_in_use(user):
        detail = _("The account “%s” already uses this e-mail. Please enter another.") % user.username
        raise Refusal("email_taken", detail, attr="email", status=409)
    # The previous owner may be another person. The new password revokes their sessions and tokens.
    user.set_password(secrets.token_urlsafe(32))
    user.is_active = True
    user.save(update_fields=["is_active", "password"])
    return user


def close_account(customer: Customer) -> None:
    """Unlinks the customer's account, and deactivates it unless it is also staff or a driver.

    The caller must hold the lock on the customer's row. Raises Refusal if there is no account.
    """
    user = customer.user
    if user is None:
        raise Refusal("no_account", _("This customer has no account."), status=409)
    customer.user = None
    customer.save(update_fields=["user"])
    user = User.objects.get(pk=user.pk)
    if not users.is_in_use(user):
        user.is_active = False
        user.save(update_fields=["is_active"])
