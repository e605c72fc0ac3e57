"""`routes/`."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import visibility
from dispatch.models import Driver, Route
from orders import permissions, services
from orders.api.filters import RouteFilters
from orders.api.order_input import FailureOutput
from orders.stops import with_stops
from web.actors import Actor, Source
from web.api.fields import Strict, StrictModelSerializer, related
from web.api.resources import Resource

ACTIVE_DRIVERS = Driver.objects.filter(is_active=True)


class RouteSerializer(StrictModelSerializer[Route]):
    """One driver's stops of one day."""

    driver = related(ACTIVE_DRIVERS, required=False, allow_null=True)
    total_stops = serializers.IntegerField(read_only=True, help_text=_("Without cancelled ones."))

    class Meta:
        model = Route
        fields = ("id", "date", "name", "driver", "status", "total_stops")

    def validate_driver(self, driver: Driver | None) -> Driver | None:
        if self.instance is not None and self.instance.driver != driver:
            detail = _("Use assign-driver/, which gives the orders of the route to the driver too.")
            raise serializers.ValidationError(detail, code="use_assign_driver")
        return driver


class AssignDriverInput(Strict):
    """Who is to drive the route."""

    driver = related(ACTIVE_DRIVERS)


class AssignDriverOutput(serializers.Serializer[Any]):
    """The orders that were given to the driver, and the open ones that could not be."""

    route = serializers.IntegerField()
    driver = serializers.IntegerField()
    assigned = serializers.ListField(child=serializers.IntegerField())
    failed = FailureOutput(many=True)


class Routes(Resource[Route]):
    """The office; a driver reads the own routes. A route no longer wanted gets the status “cancelled”."""

    queryset = Route.objects.all()
    serializer_class = RouteSerializer
    filterset_class = RouteFilters

    def get_queryset(self) -> QuerySet[Route]:
        return visibility.visible(self.request.user, with_stops(super().get_queryset()))

    @extend_schema(operation_id="routes_assign_driver", request=AssignDriverInput, responses=AssignDriverOutput)
    @action(
        detail=True, methods=["post"], url_path="assign-driver",
        rights={"POST": ["dispatch.change_route", permissions.CHANGE_ORDER]}, filterset_class=None,
        pagination_class=None,
    )  # fmt: skip
    def assign_driver(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Assigns the route, and its confirmed and assigned orders."""
        said = AssignDriverInput(data=request.data)
        said.is_valid(raise_exception=True)
        route, driver = self.get_object(), said.validated_data["driver"]
        actor = Actor(by=request.user, source=Source.REST)  # type: ignore[arg-type]  # ByRole lets only users in
        outcome = services.assign_route(route.pk, driver, actor)
        answer = {"route": route.pk, "driver": driver.pk, "assigned": outcome.updated, "failed": outcome.failed}
        return Response(AssignDriverOutput(answer).data)
