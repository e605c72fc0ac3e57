"""Orders, as the office works on them; what happened to one is read on its page and never written."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

from django.contrib import admin, messages
from django.contrib.admin.filters import RelatedFieldListFilter
from django.contrib.admin.widgets import AdminTextareaWidget
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext_lazy as _

from customers import phones
from customers.admin import CustomerField, CustomerSelect
from orders import order_warnings, services
from orders.admin.badges import OrderColumns, badge, money
from orders.admin.order_form import ItemFormSet, ItemInline, OrderForm
from orders.admin.order_moves import OrderMoves
from orders.admin.statistics import StatisticsView
from orders.models import DeliveryConfirmation, Order, OrderItem, OrderStatusChange, ProofImage, proof
from orders.models.queries import OrderQuerySet
from orders.states import OPEN, PROMISED
from web.admin import Inline, ReadOnly, actor

WHEN = ("scheduled_date", "time_slot", "priority")
WHAT = (*WHEN, "delivery_address", "notes")
WHO = ("driver", "route", "stop_sequence", "eta")
COMPUTED = ("badge", "contact", "amount", "collected", "created_at", "updated_at")


class ReadOnlyInline(ReadOnly, Inline):
    """Whoever sees the order sees this."""

    extra = 0

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("by")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("orders.view_order")


class HistoryInline(ReadOnlyInline):
    model = OrderStatusChange
    fields = readonly_fields = ("before", "after", "who", "source", "reason", "at", "recorded_at", "remark")
    verbose_name_plural = _("history")

    @admin.display(description=_("from"))
    def before(self, row: OrderStatusChange) -> str:
        return badge(row.from_status) if row.from_status else "–"

    @admin.display(description=_("to"))
    def after(self, row: OrderStatusChange) -> str:
        return badge(row.to_status)

    @admin.display(description=_("by"))
    def who(self, row: OrderStatusChange) -> str:
        return (row.by.get_full_name() or row.by.get_username()) if row.by else "–"

    @admin.display(description=_("remark"))
    def remark(self, row: OrderStatusChange) -> Any:
        return _("sent later, from offline") if row.sent_later else ""


class ConfirmationInline(ReadOnlyInline):
    model = DeliveryConfirmation
    fields = readonly_fields = ("attempt", "confirmation_type", "serials", "confirmed_at", "by")

    @admin.display(description=_("cylinder serials"))
    def serials(self, row: DeliveryConfirmation) -> str:
        return ", ".join(map(str, row.cylinder_serials)) or "–"


class ProofImageInline(ReadOnlyInline):
    model = ProofImage
    fields = readonly_fields = ("attempt", "kind", "shown", "by", "uploaded_at")

    @admin.display(description=_("image"))
    def shown(self, row: ProofImage) -> str:
        url = reverse(proof.URL_NAME, args=[row.order_id, row.pk])
        return format_html('<a href="{}"><img class="proof" src="{}" alt="{}" loading="lazy"></a>', url, url, row)


class RecentRoutes(RelatedFieldListFilter):
    """The routes of the last week and those to come: a year has a thousand."""

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
        "order_number", "badge", "who", "delivery_address", "items_in_short", "when", "with_whom", "amount",
        "age",
    )  # fmt: skip
    list_filter = (
        "status", "priority", "scheduled_date", "time_slot", "driver", ("route", RecentRoutes), "area",
    )  # fmt: skip
    asked_for = ("customer",)
    date_hierarchy = "scheduled_date"
    ordering = ("-scheduled_date", "-priority", "-id")
    search_fields = ("order_number",)  # opens the field; what is searched is said in `get_search_results`
    search_help_text = _("Number, name, address, or the last digits of the telephone")

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
            return [(None, {"fields": ("customer", WHEN, "delivery_address", "notes")})]
        return [
            (None, {"fields": ("badge", "customer", "contact", "opened_version")}),
            (_("Delivery"), {"fields": (WHEN, "delivery_address", "notes")}),
            (_("Dispatch"), {"fields": (WHO[:3], "eta")}),
            (_("Payment and times"), {"fields": (COMPUTED[2:4], COMPUTED[4:])}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Order | None = None) -> Any:
        if obj is None:
            return ()
        if obj.status not in OPEN:
            return (*COMPUTED, "customer", *WHO, *(name for name in WHAT if name != "notes"))
        # Before it is confirmed nobody can have it, and on the road it is taken back by a button first.
        return COMPUTED if obj.status in PROMISED else (*COMPUTED, "driver")

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "notes":
            kwargs["widget"] = AdminTextareaWidget(attrs={"rows": 3})
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "customer":
            kwargs |= {"widget": CustomerSelect(db_field, self.admin_site), "form_class": CustomerField}
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"scheduled_date": timezone.localdate(), **super().get_changeform_initial_data(request)}

    def save_model(self, request: HttpRequest, obj: Order, form: Any, change: bool) -> None:
        """Nothing yet: columns and items are one change, made in `save_related`."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        for formset in formsets:
            formset.save(commit=False)  # writes nothing; the admin's log reads from it what changed
        items = next((formset for formset in formsets if formset.model is OrderItem), None)
        pk = self.changed(request, form, items) if change else self.placed(request, form, items)
        form.instance.pk = pk
        form.instance.refresh_from_db()

    def placed(self, request: HttpRequest, form: OrderForm, items: ItemFormSet | None) -> int:
        warnings = order_warnings.of(form.cleaned_data["customer"])
        pk = services.place(items.lines() if items else [], actor(request), **form.columns()).pk
        for warning in warnings:
            self.message_user(request, warning.detail, messages.WARNING)
        return pk

    def changed(self, request: HttpRequest, form: OrderForm, items: ItemFormSet | None) -> int:
        """The form has overwritten its own order with what was said; the change needs the one that was there."""
        order = Order.objects.held().get(pk=form.instance.pk)
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
