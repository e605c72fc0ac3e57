"""Filters of the lists."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

import django_filters as filters
from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import F, OrderBy, QuerySet
from django.utils.translation import gettext_lazy as _
from django_filters.fields import BaseCSVField
from rest_framework.exceptions import ValidationError

from orders import permissions
from orders.api.fields import MOST_ID
from orders.models import Customer, Driver, Order, Priority, Product, Route, RouteStatus
from orders.models.customer import CustomerQuerySet
from orders.models.queries import OrderQuerySet
from orders.states import Role, Status

# Beyond these some day has no midnight in UTC.
SENSIBLE = [MinValueValidator(date(2000, 1, 1)), MaxValueValidator(date(2999, 12, 31))]
# Of one filter that takes several, with commas.
MOST_VALUES = 50


class IdFilter(filters.Filter):
    """`?driver=3`: a whole number, not the decimal that NumberFilter takes."""

    field_class = forms.IntegerField

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**({"min_value": 1, "max_value": MOST_ID} | kwargs))


class FewValues(BaseCSVField):
    def clean(self, value: list[str] | None) -> Any:
        if value and len(value) > MOST_VALUES:
            raise forms.ValidationError(_("At most %d values are taken.") % MOST_VALUES, "max_length")
        return super().clean(value)


class IdsFilter(filters.BaseInFilter, IdFilter):
    """`?customer=3,7`: any of these."""

    base_field_class = FewValues


class TrueOrFalse(forms.Field):
    """django-filter's own takes every other word for “either”."""

    def to_python(self, value: Any) -> bool | None:
        if value in self.empty_values:
            return None
        if (word := str(value).lower()) not in ("true", "false"):
            raise forms.ValidationError(_("Say true or false."), "invalid")
        return word == "true"


class TrueOrFalseFilter(filters.BooleanFilter):
    field_class = TrueOrFalse


class ChoicesFilter(filters.BaseInFilter, filters.ChoiceFilter):
    """`?status=pending,confirmed`."""


class StableOrdering(filters.OrderingFilter):
    """`?ordering=-scheduled_date,id`; the id last, so that no row is on two pages. What is unknown comes last."""

    def limit_to(self, columns: Collection[str]) -> None:
        self.extra["choices"] = [one for one in self.extra["choices"] if one[0].removeprefix("-") in columns]
        # The form's field that was made before this, as for the schema, and came along with all choices.
        self.__dict__.pop("_field", None)

    def filter(self, qs: QuerySet[Any], value: list[str] | None) -> QuerySet[Any]:
        columns = [self.get_ordering_value(name) for name in value or () if name]
        return qs.order_by(*[_term(column) for column in columns], "-pk") if columns else qs


def _term(column: str) -> OrderBy:
    return F(column[1:]).desc(nulls_last=True) if column.startswith("-") else F(column).asc(nulls_last=True)


def ordering(*names: str) -> StableOrdering:
    return StableOrdering(fields=[(name, name) for name in names])


class Filters(filters.FilterSet):
    """Base of them all. Makes the filters that a request names, of thirteen mostly two: each costs 0.1 ms.

    Nobody filters or sorts by what the rows do not show them (`ByRole.seen_by` of the view's serializer): from the
    answers they would find it out. Such a filter is not there for them. A `method` sees to it itself.
    """

    base_filters: dict[str, Any]
    # Filters by hidden columns that tell nothing: all rows that a role sees have the same there.
    harmless: frozenset[str] = frozenset()

    def __init__(self, data: Mapping[str, Any] | None = None, *args: Any, **kwargs: Any) -> None:
        self.base_filters = {name: one for name, one in self.base_filters.items() if name in (data or {})}
        super().__init__(data, *args, **kwargs)
        role = permissions.main_role(self.request.user) if self.request else None
        if (seen := self._seen_by().get(role)) is not None and role is not Role.OFFICE:
            self._limit_to(seen)

    def _seen_by(self) -> Mapping[Role | None, Collection[str]]:
        view = getattr(self.request, "parser_context", {}).get("view")
        return getattr(view.get_serializer_class(), "seen_by", {}) if view else {}

    def _limit_to(self, seen: Collection[str]) -> None:
        for name, one in list(self.filters.items()):
            if isinstance(one, StableOrdering):
                one.limit_to(seen)
            elif not one.method and one.field_name not in seen and name not in self.harmless:
                del self.filters[name]


class OrderFilters(Filters):
    status = ChoicesFilter(choices=Status.choices, help_text=_("One or several, with commas."))
    priority = filters.ChoiceFilter(choices=Priority.choices)
    scheduled_date = filters.DateFilter()
    scheduled_date_from = filters.DateFilter(field_name="scheduled_date", lookup_expr="gte")
    scheduled_date_to = filters.DateFilter(field_name="scheduled_date", lookup_expr="lte")
    day = filters.DateFilter(
        method="of_day", validators=SENSIBLE, help_text=_("Scheduled for this day, or last changed on it.")
    )
    driver = IdFilter()
    route = IdFilter()
    customer = IdsFilter(help_text=_("One or several, with commas."))
    latest = IdFilter(
        method="newest", max_value=20, help_text=_("With `customer`: of each of them the newest so many.")
    )
    area = filters.CharFilter(max_length=20)
    q = filters.CharFilter(
        method="search", max_length=100, help_text=_("Part of the number, name, address, or telephone.")
    )
    ordering = ordering("scheduled_date", "created_at", "id", "priority", "stop_sequence")

    class Meta:
        model = Order
        fields: list[str] = []

    def search(self, orders: OrderQuerySet, name: str, value: str) -> OrderQuerySet:
        """By the telephone's digits only where the caller may read the number: digit by digit, they would find it."""
        return orders.search(value, permissions.readable_numbers(self.request.user))

    def of_day(self, orders: OrderQuerySet, name: str, value: date) -> OrderQuerySet:
        return orders.of_day(value)

    def newest(self, orders: OrderQuerySet, name: str, value: int) -> OrderQuerySet:
        if not self.form.cleaned_data.get("customer"):
            # All orders there are would have to be numbered.
            raise ValidationError({name: [_("Please name the customers too.")]})
        return orders.newest_of_each_customer(value)


class CustomerFilters(Filters):
    area = filters.CharFilter(max_length=20)
    is_active = TrueOrFalseFilter()
    q = filters.CharFilter(method="search", max_length=100, help_text=_("Part of the name, address, or telephone."))
    ordering = ordering("name", "id", "created_at")

    class Meta:
        model = Customer
        fields: list[str] = []

    def search(self, customers: CustomerQuerySet, name: str, value: str) -> CustomerQuerySet:
        return customers.search(value)


class ProductFilters(Filters):
    harmless = frozenset({"is_active"})
    is_active = TrueOrFalseFilter()
    ordering = ordering("cylinder_kg", "name", "price", "stock", "id")

    class Meta:
        model = Product
        fields: list[str] = []


class DriverFilters(Filters):
    is_active = TrueOrFalseFilter()

    class Meta:
        model = Driver
        fields: list[str] = []


class RouteFilters(Filters):
    status = ChoicesFilter(choices=RouteStatus.choices)
    date = filters.DateFilter()
    date_from = filters.DateFilter(field_name="date", lookup_expr="gte")
    date_to = filters.DateFilter(field_name="date", lookup_expr="lte")
    driver = IdFilter()
    ordering = ordering("date", "name", "id")

    class Meta:
        model = Route
        fields: list[str] = []
