"""Routes: the stops of one driver on one day, in their order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.db.models import F
from django.shortcuts import get_object_or_404, redirect
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.roles import check_page
from dispatch.models import Driver, Route
from orders import services
from orders.admin.badges import badge
from orders.admin.order_actions import DriverForm, tell
from orders.models import Order
from orders.refusals import VersionConflict
from orders.states import OPEN
from orders.stops import with_stops
from web.admin import Button, HouseAdmin, HouseForm, actor, ask

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest, HttpResponse
    from django.urls import URLPattern

    ModelForm = forms.ModelForm[Order]
    Inline = admin.TabularInline[Order, Route]
else:
    ModelForm, Inline = forms.ModelForm, admin.TabularInline


class RouteForm(HouseForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "driver" in self.fields:
            self.fields["driver"].queryset = Driver.objects.filter(is_active=True)  # type: ignore[attr-defined]


class StopForm(ModelForm):
    """`seen` is the place the reader saw: who moved the stop in between is not overruled."""

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
        """A stop is an order: it comes onto a route on its own page."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

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
class RouteAdmin(HouseAdmin):
    form = RouteForm
    inlines = (StopInline,)
    list_display = ("name", "date", "driver", "status", "stops")
    list_filter = ("status", "date", "driver")
    list_select_related = ("driver",)
    date_hierarchy = "date"
    search_fields = ("name", "driver__name")
    fields = ("name", "date", "driver", "status")
    actions = ("assign",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Route]:
        return with_stops(super().get_queryset(request))

    def get_readonly_fields(self, request: HttpRequest, obj: Route | None = None) -> Any:
        """Later the driver changes together with the orders, by the button."""
        return ("driver",) if obj else ()

    def get_inlines(self, request: HttpRequest, obj: Route | None) -> Any:
        return self.inlines if obj else ()

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        for formset in formsets:
            formset.save(commit=False)  # writes nothing; the admin's log reads from it what changed
            moved = {stop.instance.pk: stop.cleaned_data for stop in formset.forms if stop.has_changed()}
            for pk in sorted(moved):  # as everywhere, so that two who lock many wait and do not block each other
                self.resequence(request, pk, moved[pk])

    def resequence(self, request: HttpRequest, pk: int, said: dict[str, Any]) -> None:
        """The route, which this transaction holds, and the place must still be those the form showed."""
        order = Order.objects.held().get(pk=pk)
        if order.stop_sequence != said["seen"]:
            raise VersionConflict(order.version)
        services.change(order, {"stop_sequence": said["stop_sequence"]}, actor(request))

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.assign_view)
        return [path("<int:pk>/assign/", view, name="dispatch_route_assign"), *super().get_urls()]

    def buttons(self, request: HttpRequest, obj: Route) -> Sequence[Button]:
        return [Button(_("Assign to a driver"), reverse("admin:dispatch_route_assign", args=[obj.pk]), posts=False)]

    def assign_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Gives the route, and its confirmed and assigned orders, to a driver."""
        route = get_object_or_404(Route, pk=pk)
        check_page(request.user, "dispatch.change_route")
        check_page(request.user, "orders.change_order")
        title, back = gettext("Assign to a driver"), reverse("admin:dispatch_route_change", args=[pk])
        form = DriverForm(request.POST or None, initial={"driver": route.driver_id})
        if form.is_valid():
            outcome = services.assign_route(pk, form.cleaned_data["driver"], actor(request))
            self.log_change(request, route, [{"changed": {"fields": ["driver"]}}])
            tell(request, self, outcome, title)
            return redirect(back)
        return ask(request, self, title=title, form=form, subjects=[route], back=back)

    @admin.display(description=_("stops"))
    def stops(self, route: Route) -> int:
        return route.total_stops
