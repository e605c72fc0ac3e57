"""Pagination and filter classes for the lists of all apps."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import django_filters as filters
from django import forms
from django.db.models import F, OrderBy, QuerySet
from django.utils.translation import gettext_lazy as _
from django_filters.fields import BaseCSVField
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request

from web.limits import MAX_ID

# The maximum number of comma-separated values of one filter.
MAX_VALUES = 50


class IdFilter(filters.Filter):
    """`?driver=3`: accepts only whole numbers; NumberFilter would also accept decimals."""

    field_class = forms.IntegerField

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**({"min_value": 1, "max_value": MAX_ID} | kwargs))


class FewValues(BaseCSVField):
    def clean(self, value: list[str] | None) -> Any:
        if value and len(value) > MAX_VALUES:
            raise forms.ValidationError(_("Please give at most %d values.") % MAX_VALUES, "max_length")
        return super().clean(value)


class IdsFilter(filters.BaseInFilter, IdFilter):
    """`?customer=3,7`: rows with any of these ids."""

    base_field_class = FewValues


class TrueOrFalse(forms.Field):
    """Accepts “true” and “false” and refuses other texts, which django-filter's own field ignores."""

    def to_python(self, value: Any) -> bool | None:
        if value in self.empty_values:
            return None
        if (word := str(value).lower()) not in ("true", "false"):
            raise forms.ValidationError(_("Please give true or false."), "invalid")
        return word == "true"


class TrueOrFalseFilter(filters.BooleanFilter):
    field_class = TrueOrFalse


class ChoicesFilter(filters.BaseInFilter, filters.ChoiceFilter):
    """`?status=pending,confirmed`: rows with any of these values."""


class StableOrdering(filters.OrderingFilter):
    """`?ordering=-scheduled_date,id`. Nulls come last.

    Of equal rows the one with the highest id comes first, so that no row appears on two pages.
    """

    def limit_to(self, columns: Collection[str]) -> None:
        self.field.choices = [one for one in self.extra["choices"] if one[0].removeprefix("-") in columns]

    def filter(self, qs: QuerySet[Any], value: list[str] | None) -> QuerySet[Any]:
        columns = [self.get_ordering_value(name) for name in value or () if name]
        return qs.order_by(*[_term(column) for column in columns], "-pk") if columns else qs


def _term(column: str) -> OrderBy:
    return F(column[1:]).desc(nulls_last=True) if column.startswith("-") else F(column).asc(nulls_last=True)


def ordering(*names: str) -> StableOrdering:
    return StableOrdering(fields=[(name, name) for name in names])


class Pages(PageNumberPagination):
    """`?page=2&page_size=100`: 50 rows a page by default, at most 500."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 500

    def get_page_size(self, request: Request) -> int | None:
        """Refuses an invalid size; DRF would silently use 50."""
        size = request.query_params.get(self.page_size_query_param, "1")
        if not (size.isdecimal() and int(size[:9]) > 0):
            raise ValidationError(
                {self.page_size_query_param: [_("Please give the number of rows per page, 1 or more.")]}
            )
        return super().get_page_size(request)
