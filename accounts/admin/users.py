"""Accounts: superusers manage all; other staff those of drivers and customers, and never their own rights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.utils.translation import gettext_lazy as _

from accounts import users
from web.admin.base import HouseList, user_of

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest

    UserAdmin = DjangoUserAdmin[User]
else:
    UserAdmin = DjangoUserAdmin

RIGHTS = ("is_staff", "is_superuser", "groups", "user_permissions")

admin.site.unregister([User, Group])


@admin.register(User)
class AccountAdmin(HouseList, UserAdmin):
    list_display = ("username", "first_name", "email", "role", "is_active", "last_login")

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).select_related("driver", "customer")

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        return self.readonly_fields if user_of(request).is_superuser else (*self.readonly_fields, *RIGHTS)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        may = super().has_change_permission(request, obj)
        return may and (obj is None or users.may_manage(user_of(request), obj))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What an account did stays its own: it is deactivated."""
        return False

    @admin.display(description=_("role"))
    def role(self, user: User) -> str:
        return users.role_of(user)


@admin.register(Group)
class GroupsAdmin(HouseList, GroupAdmin):
    """Django's own, with the lists of ours."""
