"""`orders/statistics/`: the period asked for, and the shape of the answer."""

from __future__ import annotations

from datetime import date, timedelta
from functools import partial
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from orders.statistics import DEFAULT_DAYS, MOST_DAYS, statistics_of
from web import caching
from web.api.cursor import Position
from web.timings import measured

EARLIEST, LATEST = date(2000, 1, 1), date(2100, 1, 1)


def _sensible(day: date) -> None:
    if not EARLIEST <= day <= LATEST:
        raise serializers.ValidationError(_("Please name a day between 2000 and 2100."))


class Period(serializers.Serializer[Any]):
    """`?from=&to=`, both included."""

    to = serializers.DateField(required=False, validators=[_sensible])

    def get_fields(self) -> dict[str, Any]:
        # `from` cannot be the name of an attribute.
        return {"from": serializers.DateField(required=False, validators=[_sensible]), **super().get_fields()}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        first, last = self._completed(attrs)
        if first > last:
            raise serializers.ValidationError({"from": [_("The period ends before it begins.")]})
        if (last - first).days >= MOST_DAYS:
            raise serializers.ValidationError({"from": [_("The period is longer than %d days.") % MOST_DAYS]})
        return {"from": first, "to": last}

    def _completed(self, attrs: dict[str, Any]) -> tuple[date, date]:
        last: date = attrs.get("to") or timezone.localdate()
        return attrs.get("from") or last - timedelta(days=DEFAULT_DAYS - 1), last

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


def kept(days: tuple[date, date], position: Position | None) -> dict[str, Any]:
    """The figures of these days as the API tells them (JSON), from the cache while nothing changed.

    `position` was read before (web.api.cursor).
    """
    answer: dict[str, Any] = caching.answer("statistics", position, days, partial(_made, *days))
    return answer


@measured("statistics")
def _made(first: date, last: date) -> dict[str, Any]:
    return dict(StatisticsOutput(statistics_of(first, last)).data)
