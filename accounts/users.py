"""Creates accounts, gives office roles, checks who may manage an account, and mails password links."""

from __future__ import annotations

import secrets

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import send_mail
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import gettext_lazy as _

from accounts.models import StaffRole
from accounts.roles import STAFF, Anyone, Role, appointed_role, check_right, may, refusal_for, roles
from web.refusals import Refusal

LONGEST_USERNAME, LONGEST_EMAIL = 150, 254  # the columns' lengths in Django's User
APPOINT = "accounts.appoint_manager"
PASSWORD_BYTES = 9  # 72 random bits, 12 characters: short enough to read from a screen


def new_password() -> str:
    return secrets.token_urlsafe(PASSWORD_BYTES)


def create_account(username: str, email: str, name: str, password: str) -> User:
    """Creates an account without a role. Raises Refusal if the name is taken."""
    try:
        with transaction.atomic():
            return User.objects.create_user(username, email, password, first_name=name)
    except IntegrityError:
        detail = _("The account “%s” already exists. Please choose another account name.") % username
        raise Refusal("username_taken", detail, attr="username", status=409) from None


def right_to_manage(account: User) -> str:
    """The right needed to manage an account.

    Managers may manage clerks, drivers and customers. Only owners may manage owners and managers: otherwise a manager
    could take over an owner's account.
    """
    return APPOINT if appointed_role(account) in (Role.OWNER, Role.MANAGER) else "auth.change_user"


def may_manage(by: Anyone, account: User) -> bool:
    return may(by, right_to_manage(account))


def check_may_manage(by: Anyone, account: User) -> None:
    """Raises a Refusal unless `by` may manage this account. Its `attr` is “user”, the field that names the account."""
    check_right(by, right_to_manage(account), "user")


def roles_to_give(by: Anyone) -> list[Role]:
    """The office roles that `by` may give to others."""
    return list(STAFF) if may(by, APPOINT) else [Role.CLERK] if may(by, "auth.change_user") else []


def appoint(by: Anyone, user: User, role: str) -> None:
    """Gives an office role, or removes it (empty).

    Raises Refusal for the user's own account, for a role or account that only owners may change, and if no owner would
    be left. The caller must then roll back its transaction.
    """
    if user.pk == by.pk or (role and Role(role) not in roles_to_give(by)):
        raise refusal_for(APPOINT, "role")
    check_may_manage(by, user)
    if role != Role.OWNER:
        check_not_last_owner(user)
    user.is_superuser, user.is_staff = user.is_superuser and role == Role.OWNER, bool(role)
    user.save(update_fields=["is_superuser", "is_staff"])
    if role:
        StaffRole.give(user, Role(role))
    else:
        StaffRole.objects.filter(user=user).delete()


def owners() -> QuerySet[User]:
    is_owner = Q(is_superuser=True) | Q(staff_role__role=Role.OWNER)
    return User.objects.filter(is_owner, is_active=True, is_staff=True)


def check_not_last_owner(user: User) -> None:
    """Raises Refusal if this is the only active owner."""
    # Locks the rows: if two owners remove each other's role at once, one is refused.
    locked = User.objects.filter(pk__in=owners().values("pk")).order_by("pk").select_for_update(no_key=True)
    if {owner.pk for owner in locked} == {user.pk}:
        detail = _("This is the only active owner account. Please add or activate another owner first.")
        raise Refusal("last_owner", detail, status=409)


def is_in_use(user: User) -> bool:
    """Whether the account is staff, a superuser, a driver or a customer."""
    return user.is_staff or user.is_superuser or hasattr(user, "driver") or hasattr(user, "customer")


def send_link(user: User, language: str | None = None) -> None:
    """Mails the link to set the password. Raises OSError, also as SMTPException, if the mail cannot be sent."""
    uid, token = urlsafe_base64_encode(force_bytes(user.pk)), default_token_generator.make_token(user)
    link = settings.SITE_URL + reverse("password_reset_confirm", args=[uid, token])
    with translation.override(language or translation.get_language()):
        text = render_to_string("registration/invitation_email.txt", {"user": user, "link": link})
        send_mail(str(_("Lucky Gas: your account")), text, None, [user.email])


def role_label(user: User) -> str:
    """The label of the widest role, for lists. To avoid queries, load `staff_role`, `driver` and `customer` too."""
    role = next(roles(user), None)
    return str(role.label) if role else ""
