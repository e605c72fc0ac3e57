"""`drivers/`, and where they are."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.validators import UniqueValidator

from accounts import users, visibility
from customers.api import PhoneNumberField
from dispatch import presence
from dispatch.models import Driver
from orders.api.filters import DriverFilters
from web.api.fields import StrictModelSerializer, related
from web.api.resources import Resource


class DriverSerializer(StrictModelSerializer[Driver]):
    """Who delivers, and the account of that person."""

    phone = PhoneNumberField(required=False)
    user = related(User.objects.all(), validators=[UniqueValidator(Driver.objects.all())])

    class Meta:
        model = Driver
        fields = ("id", "name", "phone", "vehicle_plate", "user", "is_active")

    def validate_user(self, user: User) -> User:
        if self.instance is None:
            users.check_may_manage(self.context["request"].user, user)
        elif self.instance.user_id != user.pk:
            raise serializers.ValidationError(_("A driver keeps the account; make a new driver instead."))
        return user


class DriverPlace(serializers.ModelSerializer[Driver]):
    """The latest position (WGS 84; km/h; degrees from north; metres), null where none was ever sent."""

    driver = serializers.IntegerField(source="pk", read_only=True)
    online = serializers.SerializerMethodField()
    latitude = serializers.FloatField(source="location.latitude", default=None, read_only=True, allow_null=True)
    longitude = serializers.FloatField(source="location.longitude", default=None, read_only=True, allow_null=True)
    speed = serializers.FloatField(source="location.speed", default=None, read_only=True, allow_null=True)
    heading = serializers.FloatField(source="location.heading", default=None, read_only=True, allow_null=True)
    accuracy = serializers.FloatField(source="location.accuracy", default=None, read_only=True, allow_null=True)
    timestamp = serializers.DateTimeField(source="location.recorded_at", default=None, read_only=True, allow_null=True)

    class Meta:
        model = Driver
        fields = (
            "driver", "name", "online", "latitude", "longitude", "speed", "heading", "accuracy", "timestamp",
        )  # fmt: skip

    def get_online(self, driver: Driver) -> bool:
        return driver.pk in self.context["online"]


class Drivers(Resource[Driver]):
    """The office; a driver reads the own record."""

    queryset = Driver.objects.all()
    serializer_class = DriverSerializer
    filterset_class = DriverFilters

    def get_queryset(self) -> QuerySet[Driver]:
        return visibility.visible(self.request.user, super().get_queryset())

    @extend_schema(operation_id="drivers_locations", responses=DriverPlace(many=True))
    @action(detail=False, all_rows=True, filterset_class=None)
    def locations(self, request: Request) -> Response:
        """Where each active driver was last, and who is connected now."""
        drivers = self.paginate_queryset(Driver.objects.filter(is_active=True).select_related("location"))
        context = self.get_serializer_context() | {"online": presence.online_driver_ids()}
        return self.get_paginated_response(DriverPlace(drivers, many=True, context=context).data)
