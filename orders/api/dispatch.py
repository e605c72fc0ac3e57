"""REST resources `drivers/` (with positions) and `routes/`."""

from __future__ import annotations

from typing import Any

import django_filters as filters
from django.contrib.auth.models import User
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.validators import UniqueValidator

from accounts import users
from accounts.api.by_role import Filters, RowsByRole
from customers.api import PhoneNumberField
from dispatch import presence
from dispatch.models import Driver, Route, RouteStatus
from orders import permissions, services
from orders.api.order_input import FailureOutput
from web.actors import Actor, Source
from web.api.fields import Strict, StrictModelSerializer, related_field
from web.api.lists import ChoicesFilter, IdFilter, TrueOrFalseFilter, ordering

ACTIVE_DRIVERS = Driver.objects.filter(is_active=True)


class DriverFilters(Filters):
    is_active = TrueOrFalseFilter()


class RouteFilters(Filters):
    status = ChoicesFilter(choices=RouteStatus.choices)
    date = filters.DateFilter()
    date_from = filters.DateFilter(field_name="date", lookup_expr="gte")
    date_to = filters.DateFilter(field_name="date", lookup_expr="lte")
    driver = IdFilter()
    ordering = ordering("date", "name", "id")


class RouteSerializer(StrictModelSerializer[Route]):
    """A route: the orders that one driver delivers on one day. `driver` may be assigned later."""

    driver = related_field(ACTIVE_DRIVERS, required=False, allow_null=True)
    total_stops = serializers.IntegerField(read_only=True, help_text=_("Cancelled orders are not counted."))

    class Meta:
        model = Route
        fields = ("id", "date", "name", "driver", "status", "total_stops")

    def validate_driver(self, driver: Driver | None) -> Driver | None:
        if self.instance is not None and self.instance.driver != driver:
            detail = _(
                "A route's driver changes only through `assign-driver/`, which also assigns the route's orders to the "
                "driver."
            )
            raise serializers.ValidationError(detail, code="use_assign_driver")
        return driver


class AssignDriverInput(Strict):
    """The driver who gets the route."""

    driver = related_field(ACTIVE_DRIVERS)


class AssignDriverOutput(serializers.Serializer[Any]):
    """The orders assigned to the driver, and the open orders that were refused."""

    route = serializers.IntegerField()
    driver = serializers.IntegerField()
    assigned = serializers.ListField(child=serializers.IntegerField())
    failed = FailureOutput(many=True)


class Routes(RowsByRole[Route]):
    """The office may read and change routes; a driver may read their own.

    To remove a route, set its status to “cancelled”.
    """

    queryset = Route.objects.with_stops()
    serializer_class = RouteSerializer
    filterset_class = RouteFilters

    @extend_schema(operation_id="routes_assign_driver", request=AssignDriverInput, responses=AssignDriverOutput)
    @action(
        detail=True, methods=["post"], url_path="assign-driver",
        rights={"POST": ["dispatch.change_route", permissions.CHANGE_ORDER]}, filterset_class=None,
        pagination_class=None,
    )  # fmt: skip
    def assign_driver(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Assigns the route, and its confirmed and assigned orders, to the driver."""
        data = self.validated(AssignDriverInput).validated_data
        route, driver = self.get_object(), data["driver"]
        actor = Actor(by=request.user, source=Source.REST)  # type: ignore[arg-type]  # ByRole lets only users in
        outcome = services.assign_route(route.pk, driver, actor)
        body = {"route": route.pk, "driver": driver.pk, "assigned": outcome.updated, "failed": outcome.failed}
        return Response(AssignDriverOutput(body).data)


class DriverSerializer(StrictModelSerializer[Driver]):
    """A driver and their account."""

    phone = PhoneNumberField(required=False)
    user = related_field(User.objects.all(), validators=[UniqueValidator(Driver.objects.all())])

    class Meta:
        model = Driver
        fields = ("id", "name", "phone", "vehicle_plate", "user", "is_active")

    def validate_user(self, user: User) -> User:
        if self.instance is None:
            users.check_may_manage(self.context["request"].user, user)
        elif self.instance.user_id != user.pk:
            raise serializers.ValidationError(
                _("A driver cannot be moved to another account. Please add a new driver instead.")
            )
        return user


class DriverPlace(serializers.ModelSerializer[Driver]):
    """A driver's latest position (WGS 84; km/h; degrees from north; metres).

    Its fields are null if the driver never sent one.
    """

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


class Drivers(RowsByRole[Driver]):
    """The office may read and change drivers; a driver may read their own record."""

    queryset = Driver.objects.all()
    serializer_class = DriverSerializer
    filterset_class = DriverFilters

    @extend_schema(operation_id="drivers_locations", responses=DriverPlace(many=True))
    @action(detail=False, all_rows=True, filterset_class=None)
    def locations(self, request: Request) -> Response:
        """The last position of each active driver, and whether they are online."""
        drivers = self.paginate_queryset(Driver.objects.filter(is_active=True).select_related("location"))
        context = self.get_serializer_context() | {"online": presence.online_driver_ids()}
        return self.get_paginated_response(DriverPlace(drivers, many=True, context=context).data)
