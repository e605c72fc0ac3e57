"""Admin of customers: their data, SMS preferences, recent orders and account."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.contrib.admin.widgets import AutocompleteSelect
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from accounts import users
from accounts.admin import mail_link
from accounts.roles import check_page
from customers import accounts, phones
from customers.models import Customer, CustomerQuerySet
from web.admin import Button, Deactivation
from web.limits import is_id
from web.refusals import Refusal


def summary_of(customer: Customer) -> str:
    """Name, masked telephone and address, to distinguish customers of the same name."""
    return " · ".join(filter(None, [customer.name, phones.mask(customer.phone or customer.phone2), customer.address]))


class CustomerField(forms.ModelChoiceField):  # type: ignore[type-arg]  # generic in the stubs alone
    def label_from_instance(self, obj: Customer) -> str:
        return summary_of(obj)


class CustomerSelect(AutocompleteSelect):
    url_name = "%s:customers_customer_choose"

    def optgroups(self, name: str, value: Any, attrs: dict[str, Any] | None = None) -> Any:
        return super().optgroups(name, [text for text in value if is_id(text)], attrs)


class CustomerChoices(AutocompleteJsonView):
    """Suggests active customers for CustomerSelect."""

    def process_request(self, request: HttpRequest) -> Any:
        """Raises PermissionDenied if the request names a field that does not refer to a customer."""
        parameters = super().process_request(request)  # type: ignore[misc]  # not in the stubs
        if parameters[1].model is not Customer:
            raise PermissionDenied
        return parameters

    def get_queryset(self) -> QuerySet[Customer]:
        return super().get_queryset().filter(is_active=True)

    def serialize_result(self, obj: Any, to_field_name: str) -> dict[str, str]:
        return {"id": str(obj.pk), "text": summary_of(obj)}


@admin.register(Customer)
class CustomerAdmin(Deactivation):
    pages = {"choose/": "choose", "<int:pk>/account/<slug:step>/": "account"}
    list_display = ("name", "masked_phone", "area", "address", "is_active", "signs_in")
    list_filter = ("is_active", "area", "language", "sms_opt_out")
    list_select_related = ("user",)
    search_fields = ("name",)  # shows the search box; `get_search_results` does the search
    search_help_text = _("Name, address, or last digits of the telephone")
    # Read-only fields that other apps append. Each is a function of a customer, with `short_description`.
    sections: ClassVar[list[Callable[[Customer], str]]] = []
    fieldsets = (
        (None, {"fields": ("name", "phone", "phone2", "email", "language", "notes", "is_active")}),
        (_("Address"), {"fields": ("address", "area", "latitude", "longitude")}),
        (
            _("Messages"),
            {
                "fields": (
                    "sms_opt_out",
                    "sms_confirmed",
                    "sms_on_the_way",
                    "sms_arriving",
                    "sms_delivered",
                    "sms_changes",
                )
            },
        ),
    )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Customer], search_term: str
    ) -> tuple[QuerySet[Customer], bool]:
        return cast("CustomerQuerySet", queryset).search(search_term), False

    def get_fieldsets(self, request: HttpRequest, obj: Customer | None = None) -> Any:
        shown = super().get_fieldsets(request, obj)
        return [*shown, (_("Sign-in and orders"), {"fields": ("account", *self.sections)})] if obj else shown

    def get_readonly_fields(self, request: HttpRequest, obj: Customer | None = None) -> Any:
        return ("account", *self.sections)

    def choose_view(self, request: HttpRequest) -> HttpResponseBase:
        return CustomerChoices.as_view(admin_site=self.admin_site)(request)

    def buttons(self, request: HttpRequest, obj: Customer) -> Sequence[Button]:
        steps = {"link": _("Send the link to set a password"), "close": _("Unlink the account")}
        if obj.user is None:
            steps = {"open": _("Create an account")}
        name = "admin:customers_customer_account"
        if not request.user.has_perm(self.account_permission(obj)):
            return []
        return [Button(label, reverse(name, args=[obj.pk, step])) for step, label in steps.items()]

    def account_permission(self, customer: Customer) -> str:
        """The permission needed to create the customer's account, or to manage the existing one."""
        return users.right_to_manage(customer.user) if customer.user is not None else "auth.add_user"

    @method_decorator(require_POST)
    def account_view(self, request: HttpRequest, pk: int, step: str) -> HttpResponse:
        steps = {"open": self.open_account, "link": self.send_link, "close": self.close_account}
        if step not in steps:
            raise Http404
        try:
            with transaction.atomic():
                customer = get_object_or_404(Customer.objects.select_for_update(no_key=True), pk=pk)
                check_page(request.user, self.account_permission(customer))
                steps[step](request, customer)
        except Refusal as refusal:
            self.message_user(request, str(refusal), messages.ERROR)
        return redirect("admin:customers_customer_change", pk)

    def open_account(self, request: HttpRequest, customer: Customer) -> None:
        accounts.open_account(customer)
        self.log_change(request, customer, gettext("Account created."))
        self.send_link(request, customer)

    def send_link(self, request: HttpRequest, customer: Customer) -> None:
        if customer.user is None:
            raise Refusal("no_account", _("This customer has no account. Please create one first."), status=409)
        if not customer.user.email:
            detail = _("The customer's account has no e-mail. Please enter one on the account's page.")
            raise Refusal("no_email", detail, status=409)
        if not customer.user.is_active:
            detail = _("The customer's account is deactivated. Please activate it on the account's page.")
            raise Refusal("account_inactive", detail, status=409)
        transaction.on_commit(partial(mail_link, request, self, customer.user, customer.language))

    def close_account(self, request: HttpRequest, customer: Customer) -> None:
        accounts.close_account(customer)
        text = gettext("Account unlinked.")
        self.log_change(request, customer, text)
        self.message_user(request, text, messages.SUCCESS)

    @admin.display(description=_("telephone"))
    def masked_phone(self, customer: Customer) -> str:
        return phones.mask(customer.phone or customer.phone2)

    @admin.display(description=_("can sign in"), boolean=True)
    def signs_in(self, customer: Customer) -> bool:
        return customer.user is not None and customer.user.is_active

    @admin.display(description=_("account"))
    def account(self, customer: Customer) -> str:
        return customer.user.username if customer.user else "–"
