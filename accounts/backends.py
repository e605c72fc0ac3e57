"""Classes that Django's settings name: authentication backend, password hasher, sessions, context processor."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import User
from django.contrib.sessions.backends import db
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext_lazy as _

from accounts.roles import RIGHTS, Anyone, may, side_of
from web.slow_work import OneAtATime


class RolesBackend(ModelBackend):
    """Checks passwords as Django does; takes permissions from `accounts.roles` and ignores groups and user permissions.

    `has_perm` is true only for a right to all rows. Django itself gives superusers every permission.
    """

    def get_user(self, user_id: Any) -> User | None:
        """The active user with this id, or None. Loads `staff_role` too, so that pages need no query for it."""
        user = User.objects.select_related("staff_role").filter(pk=user_id).first()
        return user if user is not None and self.user_can_authenticate(user) else None

    def get_user_permissions(self, user_obj: Anyone, obj: Any = None) -> set[str]:
        return {right for right in RIGHTS if self.has_perm(user_obj, right, obj)}

    def get_group_permissions(self, user_obj: Anyone, obj: Any = None) -> set[str]:
        return set()

    def has_perm(self, user_obj: Anyone, perm: str, obj: Any = None) -> bool:
        """False for a single object: `accounts.visibility` decides which rows a user may see."""
        return obj is None and may(user_obj, perm)

    def has_module_perms(self, user_obj: Anyone, app_label: str) -> bool:
        return any(right.startswith(f"{app_label}.") and may(user_obj, right) for right in RIGHTS)


hashing = OneAtATime(_("Many people are signing in. Please try again in a few seconds."))


class PasswordHasher(PBKDF2PasswordHasher):
    """Django's hasher, one call at a time in each process. A sign-in with an unknown name also waits for its turn."""

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        """Raises Overloaded if too many wait. Inside a transaction (the admin creates an account) it runs at once."""
        with hashing.turn():
            return super().encode(password, salt, iterations)


class SessionStore(db.SessionStore):
    def _validate_session_key(self, key: str) -> bool:
        """Treats a malformed session key as no session, without a query."""
        is_long = super()._validate_session_key(key)  # type: ignore[misc]  # not in the stubs
        return bool(is_long) and key.isascii() and key.isalnum()


def role(request: HttpRequest) -> dict[str, object]:
    """Context processor: `role` is the user's side, looked up only if a template uses it."""
    return {"role": SimpleLazyObject(lambda: side_of(request.user))}
