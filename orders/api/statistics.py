"""Query parameters and response schema of `orders/statistics/`."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request

from orders.statistics import period

# The first and last day of the period. Both are included.
PERIOD = [OpenApiParameter(name, OpenApiTypes.DATE) for name in ("from", "to")]


def days_of(request: Request) -> tuple[date, date]:
    """The first and last day of the requested period, by default the last 30 days. Raises ValidationError."""
    days, errors = period(request.query_params)
    if errors:
        raise serializers.ValidationError(errors)
    return days


Count, Day, Name = serializers.IntegerField, serializers.DateField, serializers.CharField
PUNCTUALITY = {
    "on_time_share": serializers.FloatField(
        allow_null=True, help_text=_("Share of delivered orders that were on time, 0 to 1.")
    ),
    "median_minutes": serializers.FloatField(
        allow_null=True, help_text=_("Minutes from confirmed to delivered: half of the orders took no longer.")
    ),
    "p90_minutes": serializers.FloatField(
        allow_null=True, help_text=_("Minutes from confirmed to delivered: 90 % of the orders took no longer.")
    ),
}


def list_of(component: str, /, **fields: serializers.Field[Any, Any, Any, Any]) -> serializers.ListSerializer[Any]:
    return inline_serializer(component, fields, many=True)  # type: ignore[return-value]  # the stubs ignore `many`


# Counts by day, product and driver exclude cancelled orders. Products are counted in cylinders.
StatisticsOutput = inline_serializer(
    "StatisticsOutput",
    {
        "from": Day(),
        "to": Day(),
        "total": Count(),
        "by_status": serializers.DictField(child=Count()),
        "by_day": list_of("DayOutput", date=Day(), orders=Count(), delivered=Count(), **PUNCTUALITY),
        "by_product": list_of("ProductSumOutput", product=Count(), name=Name(), ordered=Count(), delivered=Count()),
        "by_driver": list_of(
            "DriverSumOutput", driver=Count(), name=Name(), orders=Count(), delivered=Count(), **PUNCTUALITY
        ),
        "delivered": Count(),
        **PUNCTUALITY,
    },
)
