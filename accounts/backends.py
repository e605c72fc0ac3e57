"""What Django's settings name of this app: rights, the hasher of passwords, sessions, and what every page knows."""

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
    """Passwords are checked as Django does. Groups and permissions of single users count for nothing.

    `has_perm` is true for a right to all rows only. A superuser has every right by Django itself.
    """

    def get_user(self, user_id: Any) -> User | None:
        """With the role of staff, so that no page needs a query for it."""
        user = User.objects.select_related("staff_role").filter(pk=user_id).first()
        return user if user is not None and self.user_can_authenticate(user) else None

    def get_user_permissions(self, user_obj: Anyone, obj: Any = None) -> set[str]:
        return {right for right in RIGHTS if self.has_perm(user_obj, right, obj)}

    def get_group_permissions(self, user_obj: Anyone, obj: Any = None) -> set[str]:
        return set()

    def has_perm(self, user_obj: Anyone, perm: str, obj: Any = None) -> bool:
        """A right to single rows is not asked here: `accounts.visibility` says which rows somebody sees."""
        return obj is None and may(user_obj, perm)

    def has_module_perms(self, user_obj: Anyone, app_label: str) -> bool:
        return any(right.startswith(f"{app_label}.") and may(user_obj, right) for right in RIGHTS)


hashing = OneAtATime(_("Many people are signing in. Please try again in a few seconds."))


class PasswordHasher(PBKDF2PasswordHasher):
    """Django's own, in its turn. Every check of a password ends here too, also of a name that nobody has."""

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        """Raises Overloaded. The few who make accounts in the admin, within a transaction, do not wait."""
        with hashing.turn():
            return super().encode(password, salt, iterations)


class SessionStore(db.SessionStore):
    def _validate_session_key(self, key: str) -> bool:
        """Whoever sends another key has no session, and nothing is looked up for it."""
        is_long = super()._validate_session_key(key)  # type: ignore[misc]  # not in the stubs
        return bool(is_long) and key.isascii() and key.isalnum()


def role(request: HttpRequest) -> dict[str, object]:
    """`role`: the role of who is signed in. Asked only where a page asks."""
    return {"role": SimpleLazyObject(lambda: side_of(request.user))}
