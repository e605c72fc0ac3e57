"""`orders/statistics/`: the period asked for, and the shape of the answer."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request

from orders.statistics import period

# `?from=&to=`, both included.
PERIOD = [OpenApiParameter(name, OpenApiTypes.DATE) for name in ("from", "to")]


def days_of(request: Request) -> tuple[date, date]:
    """The period that is asked for; the last 30 days where none is. Raises ValidationError."""
    days, wrong = period(request.query_params)
    if wrong:
        raise serializers.ValidationError(wrong)
    return days


class Punctuality(serializers.Serializer[Any]):
    on_time_share = serializers.FloatField(allow_null=True, help_text=_("Of the delivered, 0 to 1."))
    median_minutes = serializers.FloatField(allow_null=True, help_text=_("From confirmed to delivered."))
    p90_minutes = serializers.FloatField(allow_null=True, help_text=_("Nine of ten took no longer."))


class DayOutput(Punctuality):
    """Of each day of the period, without cancelled orders."""

    date = serializers.DateField()
    orders = serializers.IntegerField()
    delivered = serializers.IntegerField()


class ProductSumOutput(serializers.Serializer[Any]):
    """Cylinders, without cancelled orders."""

    product = serializers.IntegerField()
    name = serializers.CharField()
    ordered = serializers.IntegerField()
    delivered = serializers.IntegerField()


class DriverSumOutput(Punctuality):
    """Without cancelled orders."""

    driver = serializers.IntegerField()
    name = serializers.CharField()
    orders = serializers.IntegerField()
    delivered = serializers.IntegerField()


class StatisticsOutput(Punctuality):
    to = serializers.DateField()
    total = serializers.IntegerField()
    by_status = serializers.DictField(child=serializers.IntegerField())
    by_day = DayOutput(many=True)
    by_product = ProductSumOutput(many=True)
    by_driver = DriverSumOutput(many=True)
    delivered = serializers.IntegerField()

    def get_fields(self) -> dict[str, Any]:
        return {"from": serializers.DateField(), **super().get_fields()}
