"""The form of an order and its items. What it says is applied by `orders.services`, as what REST says."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from functools import cached_property
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from catalogue.models import Product
from customers.models import Customer
from dispatch.models import Driver, Route
from orders.models import Order, OrderItem
from orders.models.item import MOST_LINES, Line
from orders.services import COLUMNS
from orders.states import PROMISED, Status
from web.admin import HouseForm, Inline

# Once it is on the road, what is on the lorry is what is delivered.
ITEMS_OPEN = PROMISED | {Status.PENDING}


class OrderForm(HouseForm):
    """`opened_version` is the version the reader saw: whoever saved in between is not overwritten."""

    merges = False
    opened_version = forms.IntegerField(widget=forms.HiddenInput, min_value=1)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        order: Order = self.instance
        self.fields["opened_version"].initial = order.version
        if order._state.adding:
            del self.fields["opened_version"]
        active = Driver.objects.filter(Q(is_active=True) | Q(pk=order.driver_id))
        yesterday = timezone.localdate() - timedelta(days=1)
        planned = Route.objects.filter(Q(date__gte=yesterday) | Q(pk=order.route_id))
        for name, rows in {"driver": active, "route": planned}.items():
            if name in self.fields:
                self.fields[name].queryset = rows  # type: ignore[attr-defined]

    def clean_customer(self) -> Customer:
        customer: Customer = self.cleaned_data["customer"]
        if not customer.is_active and customer.pk != self.instance.customer_id:
            raise ValidationError(_("This customer is no longer active."))
        return customer

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if self.instance.pk and self.cleaned_data.get("opened_version") != self.instance.version:
            detail = _(
                "Somebody else has changed this order since you opened it, and nothing of yours was saved. "
                "Open the page again, look at what is new, and make your change once more."
            )
            self.add_error(None, ValidationError(detail, code="version_conflict"))
        return cleaned

    def changes(self) -> dict[str, Any]:
        """What was said anew, for `orders.services`."""
        named = COLUMNS | {"driver"}
        return {name: self.cleaned_data[name] for name in self.changed_data if name in named}

    def columns(self) -> dict[str, Any]:
        """All that was said, for a new order."""
        return {name: value for name, value in self.cleaned_data.items() if name in COLUMNS}


class ItemFormSet(BaseInlineFormSet):  # type: ignore[type-arg]  # generic in the stubs alone
    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        for field in form.fields.values():
            # The heads of a table are no labels to those who hear it.
            getattr(field.widget, "widget", field.widget).attrs["aria-label"] = field.label
        if "product" in form.fields:
            widget = form.fields["product"].widget
            widget.choices = self.product_choices
            widget.can_add_related = widget.can_change_related = widget.can_view_related = False

    @cached_property
    def product_choices(self) -> list[tuple[object, str]]:
        """What is sold now, and what is in the order already; read once for all lines."""
        ordered = self.instance.items.values("product") if self.instance.pk else []
        products = Product.objects.filter(Q(is_active=True) | Q(pk__in=ordered))
        return [("", "–"), *((product.pk, f"{product.name}, NT$ {product.price:,}") for product in products)]

    def lines(self) -> list[Line]:
        """The lines as they shall be."""
        return [Line(said["product"].pk, said["quantity"]) for said in self.said()]

    def said(self) -> Iterable[dict[str, Any]]:
        given = (form.cleaned_data for form in self.forms)
        return (said for said in given if said and not said.get("DELETE"))


class ItemInline(Inline):
    """The price is that of the day of the order, and stays."""

    model = OrderItem
    formset = ItemFormSet
    fields = ("product", "quantity", "unit_price", "quantity_delivered")
    readonly_fields = ("unit_price", "quantity_delivered")
    extra, min_num, max_num = 0, 1, MOST_LINES

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("product")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.is_open(obj) and request.user.has_perm("orders.change_order" if obj else "orders.add_order")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.has_add_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A line may go; its order never does."""
        return self.has_add_permission(request, obj)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("orders.view_order")

    def is_open(self, order: Order | None) -> bool:
        return order is None or order.status in ITEMS_OPEN
