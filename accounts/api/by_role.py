"""Restricts rows, fields, filters and ordering by the user's role."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from django.db.models import QuerySet
from django_filters import FilterSet
from drf_spectacular.extensions import OpenApiSerializerExtension
from rest_framework import serializers

from accounts import visibility
from accounts.roles import Side, side_of
from web.api.lists import StableOrdering
from web.api.resources import Resource, Row
from web.api.schema import only_common_required


class RowsByRole(Resource[Row]):
    """Users read and change only rows that they may see; other rows are 404."""

    def get_queryset(self) -> QuerySet[Row]:
        return visibility.visible(self.request.user, super().get_queryset())


class FieldsByRole(serializers.Serializer[Any]):
    """Shows each role only its fields (`seen_by`), and users without a role none. Needs the request in the context."""

    seen_by: Mapping[Side, frozenset[str]] = {}

    def get_fields(self) -> dict[str, Any]:
        fields = super().get_fields()
        if getattr(self.context.get("view"), "swagger_fake_view", False):
            return fields  # the schema describes all fields
        role = side_of(self.context["request"].user)
        seen = self.seen_by.get(role, frozenset()) if role else frozenset()
        return {name: field for name, field in fields.items() if name in seen}

    @classmethod
    def seen_by_all(cls) -> frozenset[str]:
        return frozenset.intersection(*cls.seen_by.values())


class FieldsByRoleExtension(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """In the schema only those fields are required that all roles see."""

    target_class = "accounts.api.by_role.FieldsByRole"
    match_subclasses = True

    def map_serializer(self, auto_schema: Any, direction: Any) -> Any:
        return only_common_required(
            self.target, auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        )


class Filters(FilterSet):  # type: ignore[misc]  # django-filter has no types
    """Base of all filter sets. Builds only the filters that a request names, because each costs 0.1 ms.

    Filters and orderings by fields that the user does not see (`seen_by` of the view's serializer) are ignored: their
    answers would reveal the values. A filter with a `method` must check this itself.
    """

    base_filters: dict[str, Any]
    # Filters by hidden columns that reveal nothing: they are equal in all rows that a role sees.
    harmless: frozenset[str] = frozenset()

    def __init__(self, data: Mapping[str, Any] | None = None, *args: Any, **kwargs: Any) -> None:
        self.base_filters = {name: one for name, one in self.base_filters.items() if name in (data or {})}
        super().__init__(data, *args, **kwargs)
        side = side_of(self.request.user) if self.request else None
        if side is not Side.OFFICE and (seen := self._seen_by().get(side)) is not None:
            self._limit_to(seen)

    def _seen_by(self) -> Mapping[Side | None, Collection[str]]:
        view = getattr(self.request, "parser_context", {}).get("view")
        return getattr(view.get_serializer_class(), "seen_by", {}) if view else {}

    def _limit_to(self, seen: Collection[str]) -> None:
        for name, one in list(self.filters.items()):
            if isinstance(one, StableOrdering):
                one.limit_to(seen)
            elif not one.method and one.field_name not in seen and name not in self.harmless:
                del self.filters[name]
