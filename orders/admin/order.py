"""Admin of orders.

Like the REST API, the form applies changes through `orders.services`. The history is read-only.
"""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.filters import RelatedFieldListFilter
from django.contrib.admin.widgets import AdminTextareaWidget
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet, TextField
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _

from catalogue.models import Product
from customers import phones
from customers.admin import CustomerField, CustomerSelect
from customers.models import Customer
from dispatch.models import Driver, Route
from orders import order_warnings, services
from orders.admin.badges import OrderColumns, badge, money
from orders.admin.order_moves import OrderMoves
from orders.admin.statistics import StatisticsView
from orders.models import DeliveryConfirmation, Order, OrderItem, OrderStatusChange, ProofImage, proof
from orders.models.item import MAX_LINES, OrderLine
from orders.models.queries import OrderQuerySet
from orders.services import COLUMNS
from orders.states import OPEN, PROMISED, OrderStatus
from web.admin import BaseAdminForm, Inline, ReadOnly, actor

DATE_FIELDS = ("scheduled_date", "time_slot", "priority")
DELIVERY_FIELDS = (*DATE_FIELDS, "delivery_address", "notes")
DISPATCH_FIELDS = ("driver", "route", "stop_sequence", "eta")
COMPUTED_FIELDS = ("badge", "contact", "amount", "collected", "created_at", "updated_at")
# Statuses in which this page can change the items. On the road they are fixed: the driver can deliver only what is on
# the lorry.
ITEMS_EDITABLE = PROMISED | {OrderStatus.PENDING}


class OrderForm(BaseAdminForm):
    """`opened_version` is the version that the form displayed. A stale form shows an error and saves nothing."""

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
            raise ValidationError(_("This customer is deactivated. Please activate the customer first."))
        return customer

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if self.instance.pk and self.cleaned_data.get("opened_version") != self.instance.version:
            detail = _(
                "This order was changed after you opened it. Your change was not saved. Please reopen the "
                "page, check what is new and make your change again."
            )
            self.add_error(None, ValidationError(detail, code="version_conflict"))
        return cleaned

    def changes(self) -> dict[str, Any]:
        """The changed fields, for `orders.services.change`."""
        allowed = COLUMNS | {"driver"}
        return {name: self.cleaned_data[name] for name in self.changed_data if name in allowed}

    def columns(self) -> dict[str, Any]:
        """All submitted columns, for `orders.services.place`."""
        return {name: value for name, value in self.cleaned_data.items() if name in COLUMNS}


class ItemFormSet(BaseInlineFormSet):  # type: ignore[type-arg]  # generic in the stubs alone
    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        for field in form.fields.values():
            # Screen readers do not use table headings as labels.
            getattr(field.widget, "widget", field.widget).attrs["aria-label"] = field.label
        if "product" in form.fields:
            widget = form.fields["product"].widget
            widget.choices = self.product_choices
            widget.can_add_related = widget.can_change_related = widget.can_view_related = False

    @cached_property
    def product_choices(self) -> list[tuple[object, str]]:
        """Active products, and products already in the order. One query serves all lines."""
        ordered = self.instance.items.values("product") if self.instance.pk else []
        products = Product.objects.filter(Q(is_active=True) | Q(pk__in=ordered))
        return [("", "–"), *((product.pk, f"{product.name}, NT${product.price:,}") for product in products)]

    def lines(self) -> list[OrderLine]:
        submitted = (form.cleaned_data for form in self.forms)
        remaining = (line for line in submitted if line and not line.get("DELETE"))
        return [OrderLine(line["product"].pk, line["quantity"]) for line in remaining]


class ItemInline(Inline):
    """The items of an order. The unit price is read-only: it is fixed when the product is ordered."""

    model = OrderItem
    formset = ItemFormSet
    fields = ("product", "quantity", "unit_price", "quantity_delivered")
    readonly_fields = ("unit_price", "quantity_delivered")
    extra, min_num, max_num = 0, 1, MAX_LINES

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("product")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        is_open = obj is None or obj.status in ITEMS_EDITABLE
        return is_open and request.user.has_perm("orders.change_order" if obj else "orders.add_order")

    # The admin deletes no orders, but lines of an order can be deleted.
    has_change_permission = has_delete_permission = has_add_permission

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("orders.view_order")


class ReadOnlyInline(ReadOnly, Inline):
    """An inline that everyone who may view orders sees, and nobody may change."""

    extra = 0

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("by")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("orders.view_order")


class HistoryInline(ReadOnlyInline):
    model = OrderStatusChange
    fields = readonly_fields = ("before", "after", "changed_by", "source", "reason", "at", "recorded_at", "remark")
    verbose_name_plural = _("history")

    @admin.display(description=_("from"))
    def before(self, row: OrderStatusChange) -> str:
        return badge(row.from_status) if row.from_status else "–"

    @admin.display(description=_("to"))
    def after(self, row: OrderStatusChange) -> str:
        return badge(row.to_status)

    @admin.display(description=_("by"))
    def changed_by(self, row: OrderStatusChange) -> str:
        return (row.by.get_full_name() or row.by.get_username()) if row.by else "–"

    @admin.display(description=_("remark"))
    def remark(self, row: OrderStatusChange) -> Any:
        return _("done offline, reported later") if row.sent_later else ""


class ConfirmationInline(ReadOnlyInline):
    model = DeliveryConfirmation
    fields = readonly_fields = ("attempt", "confirmation_type", "serials", "confirmed_at", "by")

    @admin.display(description=_("cylinder serials"))
    def serials(self, row: DeliveryConfirmation) -> str:
        return ", ".join(map(str, row.cylinder_serials)) or "–"


class ProofImageInline(ReadOnlyInline):
    model = ProofImage
    fields = readonly_fields = ("attempt", "kind", "thumbnail", "by", "uploaded_at")

    @admin.display(description=_("image"))
    def thumbnail(self, row: ProofImage) -> str:
        url = reverse(proof.URL_NAME, args=[row.order_id, row.pk])
        return format_html('<a href="{}"><img class="proof" src="{}" alt="{}" loading="lazy"></a>', url, url, row)


class RecentRoutes(RelatedFieldListFilter):
    """Offers only routes of the last 7 days and of the future. All routes, about a thousand a year, are too many."""

    def field_choices(self, field: Any, request: HttpRequest, model_admin: Any) -> Any:
        recent = {"date__gte": timezone.localdate() - timedelta(days=7)}
        ordering = self.field_admin_ordering(field, request, model_admin)
        return field.get_choices(include_blank=False, ordering=ordering, limit_choices_to=recent)


@admin.register(Order)
class OrderAdmin(OrderColumns, StatisticsView, OrderMoves):
    form = OrderForm
    pages = {"statistics/": "statistics", "<int:pk>/move/<slug:to>/": "move"}
    inlines = [ItemInline, HistoryInline, ConfirmationInline, ProofImageInline]
    list_display = (
        "order_number", "badge", "customer_and_phone", "delivery_address", "items_in_short", "date_and_slot",
        "driver_and_route", "amount", "age",
    )  # fmt: skip
    list_filter = (
        "status", "priority", "scheduled_date", "time_slot", "driver", ("route", RecentRoutes), "area",
    )  # fmt: skip
    filtered_by_links = ("customer",)
    formfield_overrides = {TextField: {"widget": AdminTextareaWidget(attrs={"rows": 3})}}
    date_hierarchy = "scheduled_date"
    ordering = ("-scheduled_date", "-priority", "-id")
    search_fields = ("order_number",)  # shows the search box; `get_search_results` does the search
    search_help_text = _("Number, name, address, or last digits of the telephone")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Order]:
        return super().get_queryset(request).select_related("customer", "driver", "route__driver")

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        changes = super().get_changelist_instance(request)
        changes.result_list = changes.result_list.prefetch_related("items__product")
        return changes

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Order], search_term: str
    ) -> tuple[QuerySet[Order], bool]:
        return cast("OrderQuerySet", queryset).search(search_term), False

    def get_inlines(self, request: HttpRequest, obj: Order | None) -> list[Any]:
        return self.inlines if obj else [ItemInline]

    def get_fieldsets(self, request: HttpRequest, obj: Order | None = None) -> Any:
        if obj is None:
            return [(None, {"fields": ("customer", DATE_FIELDS, "delivery_address", "notes")})]
        return [
            (None, {"fields": ("badge", "customer", "contact", "opened_version")}),
            (_("Delivery"), {"fields": (DATE_FIELDS, "delivery_address", "notes")}),
            (_("Dispatch"), {"fields": (DISPATCH_FIELDS[:3], "eta")}),
            (_("Payment and times"), {"fields": (COMPUTED_FIELDS[2:4], COMPUTED_FIELDS[4:])}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Order | None = None) -> Any:
        if obj is None:
            return ()
        if obj.status not in OPEN:
            return (
                *COMPUTED_FIELDS, "customer", *DISPATCH_FIELDS,
                *(name for name in DELIVERY_FIELDS if name != "notes"),
            )  # fmt: skip
        # A pending order cannot have a driver. A failed order, or one on the road, must first be moved with a button.
        return COMPUTED_FIELDS if obj.status in PROMISED else (*COMPUTED_FIELDS, "driver")

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "customer":
            kwargs |= {"widget": CustomerSelect(db_field, self.admin_site), "form_class": CustomerField}
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"scheduled_date": timezone.localdate(), **super().get_changeform_initial_data(request)}

    def save_model(self, request: HttpRequest, obj: Order, form: Any, change: bool) -> None:
        """Does nothing: `save_related` saves columns and items as one change."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        for formset in formsets:
            formset.save(commit=False)  # writes nothing, but collects the changes for the admin's log
        items = next((formset for formset in formsets if formset.model is OrderItem), None)
        pk = self.apply_changes(request, form, items) if change else self.place(request, form, items)
        form.instance.pk = pk
        form.instance.refresh_from_db()

    def place(self, request: HttpRequest, form: OrderForm, items: ItemFormSet | None) -> int:
        warnings = order_warnings.warnings_for(form.cleaned_data["customer"])
        pk = services.place(items.lines() if items else [], actor(request), **form.columns()).pk
        for warning in warnings:
            self.message_user(request, warning.detail, messages.WARNING)
        return pk

    def apply_changes(self, request: HttpRequest, form: OrderForm, items: ItemFormSet | None) -> int:
        """Applies the changes to a newly read order: the form's own instance already holds the new values."""
        order = Order.objects.locked().get(pk=form.instance.pk)
        changes = form.changes() | {"version": form.cleaned_data["opened_version"]}
        if items is not None and items.has_changed():
            changes["items"] = items.lines()
        services.change(order, changes, actor(request))
        return order.pk

    @admin.display(description=_("telephone"))
    def contact(self, order: Order) -> str:
        numbers = [number for number in (order.customer.phone, order.customer.phone2) if number]
        links = ((number, phones.display(number)) for number in numbers)
        return format_html_join(", ", '<a href="tel:{}">{}</a>', links) or "–"

    @admin.display(description=_("amount collected"))
    def collected(self, order: Order) -> str:
        return money(order.amount_collected)
