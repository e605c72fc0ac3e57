"""Customers: who they are, how they may be told, what they ordered, and whether they may sign in."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from accounts.admin.sign_in import mail_link
from orders import customer_accounts, phones
from orders.admin.badges import badge
from orders.admin.choosing import CustomerChoices
from orders.models import Customer
from web.admin.base import Button, Deactivation
from web.refusals import Refusal

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse
    from django.urls import URLPattern

    from orders.models.customer import CustomerQuerySet

RECENT = 10


@admin.register(Customer)
class CustomerAdmin(Deactivation):
    list_display = ("name", "masked_phone", "area", "address", "is_active", "signs_in")
    list_filter = ("is_active", "area", "language", "sms_opt_out")
    search_fields = ("name",)  # opens the field; what is searched is said in `get_search_results`
    search_help_text = _("Name, address, or the last digits of the telephone")
    readonly_fields = ("account", "recent_orders")
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
        (_("Sign-in and orders"), {"fields": ("account", "recent_orders")}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Customer]:
        return super().get_queryset(request).select_related("user")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Customer], search_term: str
    ) -> tuple[QuerySet[Customer], bool]:
        return cast("CustomerQuerySet", queryset).search(search_term), False

    def get_fieldsets(self, request: HttpRequest, obj: Customer | None = None) -> Any:
        return super().get_fieldsets(request, obj)[: None if obj else -1]

    def get_urls(self) -> list[URLPattern]:
        choose = self.admin_site.admin_view(CustomerChoices.as_view(admin_site=self.admin_site))
        account = self.admin_site.admin_view(self.account_view)
        return [
            path("choose/", choose, name="orders_customer_choose"),
            path("<int:pk>/account/<slug:step>/", account, name="orders_customer_account"),
            *super().get_urls(),
        ]

    def buttons(self, request: HttpRequest, obj: Customer) -> Sequence[Button]:
        steps = {"link": _("Send the link to set a password"), "close": _("Unlink the account")}
        if obj.user is None:
            steps = {"open": _("Create an account")}
        name = "admin:orders_customer_account"
        return [Button(label, reverse(name, args=[obj.pk, step])) for step, label in steps.items()]

    @method_decorator(require_POST)
    def account_view(self, request: HttpRequest, pk: int, step: str) -> HttpResponse:
        steps = {"open": self.open_account, "link": self.send_link, "close": self.close_account}
        if step not in steps:
            raise Http404
        try:
            with transaction.atomic():
                customer = get_object_or_404(Customer.objects.select_for_update(no_key=True), pk=pk)
                if not self.has_change_permission(request, customer):
                    raise PermissionDenied
                steps[step](request, customer)
        except Refusal as refusal:
            self.message_user(request, str(refusal), messages.ERROR)
        return redirect("admin:orders_customer_change", pk)

    def open_account(self, request: HttpRequest, customer: Customer) -> None:
        customer_accounts.open_for(customer)
        self.log_change(request, customer, gettext("Account created."))
        self.send_link(request, customer)

    def send_link(self, request: HttpRequest, customer: Customer) -> None:
        if customer.user is None:
            raise Refusal("no_account", _("This customer has no account."), status=409)
        if not (customer.user.email and customer.user.is_active):
            raise Refusal("no_email", _("This account has no e-mail or is not active."), status=409)
        transaction.on_commit(partial(mail_link, request, self, customer.user, customer.language))

    def close_account(self, request: HttpRequest, customer: Customer) -> None:
        customer_accounts.close_for(customer)
        said = gettext("Account unlinked.")
        self.log_change(request, customer, said)
        self.message_user(request, said, messages.SUCCESS)

    @admin.display(description=_("telephone"))
    def masked_phone(self, customer: Customer) -> str:
        return phones.mask(customer.phone or customer.phone2)

    @admin.display(description=_("signs in"), boolean=True)
    def signs_in(self, customer: Customer) -> bool:
        return customer.user is not None and customer.user.is_active

    @admin.display(description=_("account"))
    def account(self, customer: Customer) -> str:
        return customer.user.username if customer.user else "–"

    @admin.display(description=_("recent orders"))
    def recent_orders(self, customer: Customer) -> str:
        orders = customer.orders.order_by("-scheduled_date", "-id")[:RECENT]
        rows = (
            (reverse("admin:orders_order_change", args=[order.pk]), order, order.scheduled_date, badge(order.status))
            for order in orders
        )
        links = format_html_join("", '<li><a href="{}">{}</a> {} {}</li>', rows)
        whole = reverse("admin:orders_order_changelist") + f"?customer__id__exact={customer.pk}"
        return format_html('<ul class="plain-list">{}<li><a href="{}">{}</a></li></ul>', links, whole, _("All orders"))
