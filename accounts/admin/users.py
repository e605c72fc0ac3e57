"""Accounts of everybody. Those of the office are made here, those of drivers and customers on their own pages."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.shortcuts import get_object_or_404, redirect
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from accounts import users
from accounts.admin.sign_in import mail_link, renew_password
from accounts.pages import check_page
from accounts.roles import Role, appointed
from web.admin import Button, HouseAdmin, HouseForm, user_of

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse
    from django.urls import URLPattern

admin.site.unregister([User, Group])


class AccountForm(HouseForm):
    """`by`: who fills it in; a manager gives no role above a clerk's."""

    by: User
    without_role: tuple[tuple[str, Any], ...] = (("", _("not of the office")),)
    first_name = forms.CharField(label=_("full name"), max_length=150)
    role = forms.ChoiceField(label=_("role"), required=False, help_text=_("What somebody of the office may do."))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "role" in self.fields:
            given = [(role.value, role.label) for role in users.roles_to_give(self.by)]
            self.fields["role"].choices = [*self.without_role, *given]  # type: ignore[attr-defined]
            self.initial["role"] = appointed(self.instance) or ""


class NewAccountForm(AccountForm):
    without_role = ()
    email = forms.EmailField(label=_("e-mail"), help_text=_("The link to set a password goes there."))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].required = True
        self.initial["role"] = Role.CLERK


@admin.register(User)
class AccountAdmin(HouseAdmin):
    form = AccountForm
    change_form_template = "admin/accounts/account_form.html"
    list_display = ("username", "full_name", "email", "role", "is_active", "last_login")
    list_filter = ("is_active",)
    search_fields = ("username", "first_name", "last_name", "email")
    ordering = ("username",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).select_related("staff_role", "driver", "customer")

    def get_form(self, request: HttpRequest, obj: User | None = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **(kwargs if obj else {"form": NewAccountForm} | kwargs))
        form.by = user_of(request)
        return form

    def get_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        asked = ("username", "first_name", "email", "role")
        return (*asked, "is_active", "last_login", "date_joined") if obj else asked

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """Nobody changes the own role, or deactivates the own account."""
        own = ("role", "is_active") if obj is not None and obj.pk == request.user.pk else ()
        return (*own, "last_login", "date_joined")

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        may = super().has_change_permission(request, obj)
        return may and (obj is None or users.may_manage(user_of(request), obj))

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> User | None:
        """Whoever may see the account but not change it is told who may."""
        found: User | None = super().get_object(request, object_id, from_field)
        if found is not None and request.method == "POST":
            check_page(request.user, users.right_to_manage(found))
        return found

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Raises Refusal."""
        said = form.cleaned_data
        if not change:
            obj.set_password(users.new_password())
        elif "is_active" in form.changed_data and not obj.is_active:
            users.check_not_last_owner(obj)
        super().save_model(request, obj, form, change)
        if "role" in said and (not change or "role" in form.changed_data):
            users.appoint(user_of(request), obj, said["role"])
        if not change:
            transaction.on_commit(partial(mail_link, request, self, obj))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.password_view)
        return [path("<int:pk>/password/", view, name="auth_user_link"), *super().get_urls()]

    def buttons(self, request: HttpRequest, obj: User) -> Sequence[Button]:
        label = _("Send the link to set a password") if obj.email else _("Make a new password")
        return [Button(label, reverse("admin:auth_user_link", args=[obj.pk]))] if obj.is_active else []

    @method_decorator(require_POST)
    def password_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        user = get_object_or_404(User, pk=pk)
        check_page(request.user, users.right_to_manage(user))
        renew_password(request, self, user)
        return redirect("admin:auth_user_change", pk)

    @admin.display(description=_("full name"), ordering="first_name")
    def full_name(self, user: User) -> str:
        return user.get_full_name()

    @admin.display(description=_("role"))
    def role(self, user: User) -> str:
        return users.role_of(user)
