"""Drivers, each made together with the account he or she signs in with."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.validators import MaxLengthValidator
from django.db import transaction
from django.db.models import Count, Q
from django.shortcuts import get_object_or_404, redirect
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from accounts import users
from accounts.admin import mail_link, renew_password, show_password
from accounts.roles import check_page
from customers import phones
from dispatch.models import Driver
from orders.states import OPEN
from web.admin import Button, Deactivation, HouseForm, user_of

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse
    from django.urls import URLPattern

FIELDS = ("name", "phone", "vehicle_plate", "is_active")


class NewDriverForm(HouseForm):
    username = forms.CharField(
        label=_("account name"),
        validators=[User.username_validator, MaxLengthValidator(users.LONGEST_USERNAME)],
        help_text=_("To sign in with: letters, digits and @ . + - _"),
    )
    email = forms.EmailField(
        label=_("e-mail"),
        required=False,
        max_length=users.LONGEST_EMAIL,
        help_text=_("The link to set a password goes there. Without one, a password is shown to you once."),
    )


@admin.register(Driver)
class DriverAdmin(Deactivation):
    list_display = ("name", "masked_phone", "vehicle_plate", "user", "open_orders", "is_active")
    list_filter = ("is_active",)
    list_select_related = ("user",)
    search_fields = ("name", "vehicle_plate", "user__username")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Driver]:
        drivers: QuerySet[Driver] = super().get_queryset(request)
        return drivers.annotate(undone=Count("orders", filter=Q(orders__status__in=OPEN)))

    def get_form(self, request: HttpRequest, obj: Driver | None = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change, **(kwargs if obj else {"form": NewDriverForm} | kwargs))

    def get_fields(self, request: HttpRequest, obj: Driver | None = None) -> tuple[str, ...]:
        if obj is None:
            return ("username", "email", *FIELDS)
        return (*FIELDS, *self.get_readonly_fields(request, obj))

    def get_readonly_fields(self, request: HttpRequest, obj: Driver | None = None) -> tuple[str, ...]:
        """The e-mail, where links to set a password go, only for who may see accounts."""
        return ("account", "account_email") if request.user.has_perm("auth.view_user") else ("account",)

    def save_model(self, request: HttpRequest, obj: Driver, form: Any, change: bool) -> None:
        if not change:
            self.give_account(request, obj, form.cleaned_data["username"], form.cleaned_data["email"])
        super().save_model(request, obj, form, change)
        if change and not obj.is_active:
            self.warn_of_orders(request, obj)

    def give_account(self, request: HttpRequest, driver: Driver, username: str, email: str) -> None:
        password = users.new_password()
        driver.user = users.make(username, email, driver.name, password)
        after = partial(mail_link, request, self, driver.user)
        if not email:
            after = partial(show_password, request, self, driver.user, password)
        transaction.on_commit(after)

    def deactivated(self, request: HttpRequest, row: Driver) -> None:
        super().deactivated(request, row)
        self.warn_of_orders(request, row)

    def warn_of_orders(self, request: HttpRequest, driver: Driver) -> None:
        if count := driver.orders.open().count():
            said = ngettext(
                "%(name)s still has %(count)d open order: please give it to another driver.",
                "%(name)s still has %(count)d open orders: please give them to another driver.",
                count,
            )
            self.message_user(request, said % {"name": driver.name, "count": count}, messages.WARNING)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.password_view)
        return [path("<int:pk>/password/", view, name="dispatch_driver_password"), *super().get_urls()]

    def buttons(self, request: HttpRequest, obj: Driver) -> Sequence[Button]:
        label = _("Send the link to set a password") if obj.user.email else _("Make a new password")
        may = users.may_manage(user_of(request), obj.user)
        return [Button(label, reverse("admin:dispatch_driver_password", args=[obj.pk]))] if may else []

    @method_decorator(require_POST)
    def password_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        driver = get_object_or_404(Driver.objects.select_related("user"), pk=pk)
        user = driver.user
        for right in ("dispatch.change_driver", users.right_to_manage(user)):
            check_page(request.user, right)
        renew_password(request, self, user)
        return redirect("admin:dispatch_driver_change", pk)

    @admin.display(description=_("telephone"))
    def masked_phone(self, driver: Driver) -> str:
        return phones.mask(driver.phone)

    @admin.display(description=_("open orders"))
    def open_orders(self, driver: Any) -> int:
        return int(driver.undone)

    @admin.display(description=_("account"))
    def account(self, driver: Driver) -> str:
        return driver.user.username

    @admin.display(description=_("e-mail"))
    def account_email(self, driver: Driver) -> str:
        return driver.user.email or "–"
