"""`orders/statistics/`: the period asked for, and the shape of the answer."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from orders.statistics import period
from web.refusals import Refusal


class Period(serializers.Serializer[Any]):
    """`?from=&to=`, both included."""

    to = serializers.DateField(required=False)

    def get_fields(self) -> dict[str, Any]:
        # `from` cannot be the name of an attribute.
        return {"from": serializers.DateField(required=False), **super().get_fields()}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        try:
            first, last = period(attrs.get("from"), attrs.get("to"))
        except Refusal as refusal:
            raise serializers.ValidationError({refusal.attr or "from": [str(refusal)]}) from None
        return {"from": first, "to": last}

    def days(self) -> tuple[date, date]:
        return self.validated_data["from"], self.validated_data["to"]


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
