"""Django's `has_perm`, answered from the table of roles (`accounts.roles`): the admin and templates ask so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import User

from accounts.roles import RIGHTS, may

if TYPE_CHECKING:
    from accounts.roles import Anyone


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
