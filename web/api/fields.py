"""Serializers and fields that refuse unknown fields and values that cannot be stored or are typing errors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeVar

from django.db import models
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from web.limits import MAX_ID, validate_moment

Row = TypeVar("Row", bound=models.Model)


class Strict(serializers.Serializer[Any]):
    """Refuses unknown fields: a misspelt name must not look like success."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping) and (unknown := [str(name) for name in data if name not in self.fields]):
            detail = _("Unknown field. Please remove it.")
            raise serializers.ValidationError({name: [detail] for name in unknown[:10]}, code="unknown_field")
        return super().to_internal_value(data)


class FiniteFloatField(serializers.FloatField):
    """Refuses the texts "nan" and "inf", which DRF's field accepts."""

    def to_internal_value(self, data: Any) -> float:
        value = super().to_internal_value(data)
        if not math.isfinite(value):
            self.fail("invalid")
        return value


class StrictModelSerializer(Strict, serializers.ModelSerializer[Row]):
    serializer_field_mapping = serializers.ModelSerializer.serializer_field_mapping | {
        models.FloatField: FiniteFloatField
    }


class NearDateTimeField(serializers.DateTimeField):
    """Accepts moments at most 366 days before or after now. Others are typing errors.

    This also refuses the years 1 and 9999, whose moments cannot always be converted to another time zone.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.validators.append(validate_moment)


def id_field(**kwargs: Any) -> serializers.IntegerField:
    return serializers.IntegerField(min_value=1, max_value=MAX_ID, **kwargs)


def related_field(rows: models.QuerySet[Row], **kwargs: Any) -> serializers.PrimaryKeyRelatedField[Row]:
    """A field for the id of one of `rows`. Refuses 1.5, which DRF's default would convert to 1."""
    return serializers.PrimaryKeyRelatedField(queryset=rows, pk_field=serializers.IntegerField(), **kwargs)
