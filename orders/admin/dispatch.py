"""Admin of drivers, which creates their accounts too, and of routes with their stops."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.core.validators import MaxLengthValidator
from django.db import transaction
from django.db.models import Count, F, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from accounts import users
from accounts.admin import mail_link, renew_password, show_password
from accounts.roles import check_page
from customers import phones
from dispatch.models import Driver, Route, RouteQuerySet
from orders import services
from orders.admin.badges import badge
from orders.admin.order_moves import DriverForm, show_outcome
from orders.models import Order
from orders.models.order import VersionConflict
from orders.states import OPEN
from web.admin import (
    BaseAdmin,
    BaseAdminForm,
    Button,
    Deactivation,
    Inline,
    ModelForm,
    actor,
    confirmation_page,
    user_of,
)


class StopForm(ModelForm):
    """`seen` is the stop number that the form displayed.

    If it has changed since then, `RouteAdmin.move_stop` raises VersionConflict.
    """

    seen = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        stop: Order = self.instance
        self.fields["seen"].initial = stop.stop_sequence
        if field := self.fields.get("stop_sequence"):
            field.disabled = stop.status not in OPEN

    def has_changed(self) -> bool:
        return "stop_sequence" in self.changed_data


class StopInline(Inline):
    model = Order
    form = StopForm
    fields = ("stop_sequence", "seen", "number", "customer_name", "delivery_address", "badge")
    readonly_fields = ("number", "customer_name", "delivery_address", "badge")
    verbose_name_plural = _("stops")
    extra = 0

    def get_queryset(self, request: HttpRequest) -> Any:
        stops = super().get_queryset(request).select_related("customer")
        return stops.order_by(F("stop_sequence").asc(nulls_last=True), "pk")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Orders join a route on their own page, not here."""
        return False

    has_delete_permission = has_add_permission

    @admin.display(description=_("order"))
    def number(self, order: Order) -> str:
        return format_html('<a href="{}">{}</a>', reverse("admin:orders_order_change", args=[order.pk]), order)

    @admin.display(description=_("customer"))
    def customer_name(self, order: Order) -> str:
        return order.customer.name

    @admin.display(description=_("status"))
    def badge(self, order: Order) -> str:
        return badge(order.status)


@admin.register(Route)
class RouteAdmin(BaseAdmin):
    inlines = (StopInline,)
    pages = {"<int:pk>/assign/": "assign"}
    list_display = ("name", "date", "driver", "status", "total_stops")
    list_filter = ("status", "date", "driver")
    list_select_related = ("driver",)
    date_hierarchy = "date"
    search_fields = ("name", "driver__name")
    fields = ("name", "date", "driver", "status")
    actions = ("assign",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Route]:
        return cast("RouteQuerySet", super().get_queryset(request)).with_stops()

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        active = Driver.objects.filter(is_active=True)
        return super().formfield_for_foreignkey(db_field, request, **({"queryset": active} | kwargs))

    def get_readonly_fields(self, request: HttpRequest, obj: Route | None = None) -> Any:
        """The driver of an existing route is read-only, because its orders must change with it.

        The button “Assign to a driver” changes both.
        """
        return ("driver",) if obj else ()

    def get_inlines(self, request: HttpRequest, obj: Route | None) -> Any:
        return self.inlines if obj else ()

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        for formset in formsets:
            formset.save(commit=False)  # writes nothing, but collects the changes for the admin's log
            moved = {stop.instance.pk: stop.cleaned_data for stop in formset.forms if stop.has_changed()}
            for pk in sorted(moved):  # all code locks orders by ascending id, which prevents deadlocks
                self.move_stop(request, pk, moved[pk])

    def move_stop(self, request: HttpRequest, pk: int, submitted: dict[str, Any]) -> None:
        """Changes the stop number of one order. The caller holds the route's lock.

        Raises VersionConflict if the number changed after the form was displayed.
        """
        order = Order.objects.locked().get(pk=pk)
        if order.stop_sequence != submitted["seen"]:
            raise VersionConflict(order.version)
        services.change(order, {"stop_sequence": submitted["stop_sequence"]}, actor(request))

    def buttons(self, request: HttpRequest, obj: Route) -> Sequence[Button]:
        return [Button(_("Assign to a driver"), reverse("admin:dispatch_route_assign", args=[obj.pk]), posts=False)]

    def assign_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """GET displays the form; POST assigns the route, and its confirmed and assigned orders, to a driver."""
        route = get_object_or_404(Route, pk=pk)
        check_page(request.user, "dispatch.change_route")
        check_page(request.user, "orders.change_order")
        title, back = gettext("Assign to a driver"), reverse("admin:dispatch_route_change", args=[pk])
        form = DriverForm(request.POST or None, initial={"driver": route.driver_id})
        if form.is_valid():
            outcome = services.assign_route(pk, form.cleaned_data["driver"], actor(request))
            self.log_change(request, route, [{"changed": {"fields": ["driver"]}}])
            show_outcome(request, self, outcome, title)
            return redirect(back)
        return confirmation_page(request, self, title=title, form=form, subjects=[route], back=back)


FIELDS = ("name", "phone", "vehicle_plate", "is_active")


class NewDriverForm(BaseAdminForm):
    username = forms.CharField(
        label=_("account name"),
        validators=[User.username_validator, MaxLengthValidator(users.LONGEST_USERNAME)],
        help_text=_("Used to sign in. Only letters, digits and @ . + - _ are allowed."),
    )
    email = forms.EmailField(
        label=_("e-mail"),
        required=False,
        max_length=users.LONGEST_EMAIL,
        help_text=_(
            "We send the link to set a password to this address. If you leave it empty, the password is shown once."
        ),
    )


@admin.register(Driver)
class DriverAdmin(Deactivation):
    pages = {"<int:pk>/password/": "password"}
    list_display = ("name", "masked_phone", "vehicle_plate", "user", "open_orders", "is_active")
    list_filter = ("is_active",)
    list_select_related = ("user",)
    search_fields = ("name", "vehicle_plate", "user__username")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Driver]:
        drivers: QuerySet[Driver] = super().get_queryset(request)
        return drivers.annotate(open_count=Count("orders", filter=Q(orders__status__in=OPEN)))

    def get_form(self, request: HttpRequest, obj: Driver | None = None, change: bool = False, **kwargs: Any) -> Any:
        return super().get_form(request, obj, change, **(kwargs if obj else {"form": NewDriverForm} | kwargs))

    def get_fields(self, request: HttpRequest, obj: Driver | None = None) -> tuple[str, ...]:
        if obj is None:
            return ("username", "email", *FIELDS)
        return (*FIELDS, *self.get_readonly_fields(request, obj))

    def get_readonly_fields(self, request: HttpRequest, obj: Driver | None = None) -> tuple[str, ...]:
        """Only users who may view accounts see the e-mail, which receives password links."""
        return ("account", "account_email") if request.user.has_perm("auth.view_user") else ("account",)

    def save_model(self, request: HttpRequest, obj: Driver, form: Any, change: bool) -> None:
        if not change:
            self.create_account(request, obj, form.cleaned_data["username"], form.cleaned_data["email"])
        super().save_model(request, obj, form, change)
        if change and not obj.is_active:
            self.warn_of_orders(request, obj)

    def create_account(self, request: HttpRequest, driver: Driver, username: str, email: str) -> None:
        password = users.new_password()
        driver.user = users.create_account(username, email, driver.name, password)
        send_password = partial(mail_link, request, self, driver.user)
        if not email:
            send_password = partial(show_password, request, self, driver.user, password)
        transaction.on_commit(send_password)

    def deactivated(self, request: HttpRequest, row: Driver) -> None:
        super().deactivated(request, row)
        self.warn_of_orders(request, row)

    def warn_of_orders(self, request: HttpRequest, driver: Driver) -> None:
        if count := driver.orders.open().count():
            text = ngettext(
                "%(name)s still has %(count)d open order. Please assign it to another driver.",
                "%(name)s still has %(count)d open orders. Please assign them to another driver.",
                count,
            )
            self.message_user(request, text % {"name": driver.name, "count": count}, messages.WARNING)

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
        return int(driver.open_count)

    @admin.display(description=_("account"))
    def account(self, driver: Driver) -> str:
        return driver.user.username

    @admin.display(description=_("e-mail"))
    def account_email(self, driver: Driver) -> str:
        return driver.user.email or "–"
