"""Admin pages of accounts and of failed sign-ins.

Office accounts are created here. Accounts of drivers and customers are created on their pages, which use `mail_link`,
`show_password` and `renew_password`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from typing import Any

from axes.models import AccessAttempt
from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.admin import ModelAdmin
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery, Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from accounts import users
from accounts.roles import Role, appointed_role, check_page
from web.admin import BaseAdmin, BaseAdminForm, BaseListAdmin, Button, user_of

# These pages show whole tokens, with which a reader could act as their owners.
admin.site.unregister([BlacklistedToken, OutstandingToken])


log = logging.getLogger(__name__)
# django-axes has no Chinese translation. These lines put its texts into our catalogue.
AXES_TEXTS = [
    gettext_noop("Attempt Time"),
    gettext_noop("Failed Logins"),
    gettext_noop("IP Address"),
    gettext_noop("User Agent"),
    gettext_noop("access attempt"),
    gettext_noop("access attempts"),
]


def mail_link(request: HttpRequest, model_admin: ModelAdmin[Any], user: User, language: str | None = None) -> None:
    """Mails the link to set a password, and shows a message with the result.

    Call it after the commit: the link works only then, and a slow mail server must not hold the transaction open.
    """
    try:
        users.send_link(user, language)
    except OSError:
        log.exception("Could not mail the link to set a password to user %s", user.pk)
        text = gettext("The e-mail to %s could not be sent. Please send the link again later.") % user.email
        model_admin.message_user(request, text, messages.ERROR)
    else:
        text = gettext("The account is “%(name)s”. The link to set its password was sent to %(email)s.")
        names = {"name": user.username, "email": user.email}
        model_admin.message_user(request, text % names, messages.SUCCESS)


def show_password(request: HttpRequest, model_admin: ModelAdmin[Any], user: User, password: str) -> None:
    text = gettext(
        "The account is “%(name)s”, the password “%(password)s”. The password is shown only once: please pass it on."
    )
    model_admin.message_user(request, text % {"name": user.username, "password": password}, messages.WARNING)


def renew_password(request: HttpRequest, model_admin: ModelAdmin[Any], user: User) -> None:
    """Mails a link to set a password. Without an e-mail address: sets a new password and shows it once."""
    if user.email:
        mail_link(request, model_admin, user)
    else:
        password = users.new_password()
        user.set_password(password)
        user.save(update_fields=["password"])
        show_password(request, model_admin, user, password)


admin.site.unregister([User, Group])


class AccountForm(BaseAdminForm):
    """The form of an account. Offers the office roles that `by`, the user who fills it in, may give."""

    by: User
    without_role: tuple[tuple[str, Any], ...] = (("", _("not an office account")),)
    first_name = forms.CharField(label=_("full name"), max_length=150)
    role = forms.ChoiceField(label=_("role"), required=False, help_text=_("Decides what an office account may do."))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "role" in self.fields:
            choices = [(role.value, role.label) for role in users.roles_to_give(self.by)]
            self.fields["role"].choices = [*self.without_role, *choices]  # type: ignore[attr-defined]
            self.initial["role"] = appointed_role(self.instance) or ""


class NewAccountForm(AccountForm):
    without_role = ()
    email = forms.EmailField(label=_("e-mail"), help_text=_("We send the link to set a password to this address."))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].required = True
        self.initial["role"] = Role.CLERK


@admin.register(User)
class AccountAdmin(BaseAdmin):
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
        own = ("username", "first_name", "email", "role")
        return (*own, "is_active", "last_login", "date_joined") if obj else own

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> tuple[str, ...]:
        """Users cannot change their own role or deactivate their own account."""
        own = ("role", "is_active") if obj is not None and obj.pk == request.user.pk else ()
        return (*own, "last_login", "date_joined")

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        may_change = super().has_change_permission(request, obj)
        return may_change and (obj is None or users.may_manage(user_of(request), obj))

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> User | None:
        """Raises PermissionDenied for a POST by a user who may not change the account. The error says who may."""
        found: User | None = super().get_object(request, object_id, from_field)
        if found is not None and request.method == "POST":
            check_page(request.user, users.right_to_manage(found))
        return found

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Saves the account and its role. Mails a new account the link to set its password.

        Raises Refusal if this user may not give the role, or if no active owner would be left.
        """
        values = form.cleaned_data
        if not change:
            obj.set_password(users.new_password())
        elif "is_active" in form.changed_data and not obj.is_active:
            users.check_not_last_owner(obj)
        super().save_model(request, obj, form, change)
        if "role" in values and (not change or "role" in form.changed_data):
            users.appoint(user_of(request), obj, values["role"])
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
        return users.role_label(user)


@admin.register(AccessAttempt)
class AttemptAdmin(BaseListAdmin):
    list_display = ("username", "ip_address", "failures_since_start", "locked", "attempt_time", "user_agent")
    search_fields = ("username", "ip_address")
    search_help_text = _(
        "Account name or IP address. An account is locked for one IP address. To unlock it, delete that row."
    )
    fields = readonly_fields = list_display

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Adds `counted`: the recent failures of the row's name and address in all browsers, as the lock counts them.

        django-axes has a row for each browser (user agent).
        """
        same = AccessAttempt.objects.filter(
            username=OuterRef("username"),
            ip_address=OuterRef("ip_address"),
            attempt_time__gte=timezone.now() - settings.AXES_COOLOFF_TIME,
        )
        counted = same.order_by().values("username").annotate(sum=Sum("failures_since_start")).values("sum")
        attempts: QuerySet[Any] = super().get_queryset(request).annotate(counted=Subquery(counted))
        return attempts

    @admin.display(description=_("locked"), boolean=True)
    def locked(self, attempt: Any) -> bool:
        return (attempt.counted or 0) >= int(settings.AXES_FAILURE_LIMIT)
