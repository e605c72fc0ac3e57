"""Filters of the lists."""

from __future__ import annotations

from datetime import date

import django_filters as filters
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import ValidationError

from accounts.api.by_role import Filters
from dispatch.models import Driver, Route, RouteStatus
from orders import permissions
from orders.models import Order, Priority
from orders.models.queries import OrderQuerySet
from orders.states import Status
from web.api.lists import ChoicesFilter, IdFilter, IdsFilter, TrueOrFalseFilter, ordering

# Beyond these some day has no midnight in UTC.
SENSIBLE = [MinValueValidator(date(2000, 1, 1)), MaxValueValidator(date(2999, 12, 31))]


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
