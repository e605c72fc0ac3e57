"""REST resource `orders/`: place, read, change, move and confirm delivery."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, cast

import django_filters as filters
from django.contrib.auth.models import User
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import transaction
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.authentication import SessionAuthentication
from rest_framework.decorators import action
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.api.by_role import Filters
from accounts.roles import Side, is_office, side_of
from orders import order_warnings, permissions, services, statistics
from orders.api import order_output
from orders.api.order_input import (
    BulkInput,
    BulkOutput,
    ConfirmationInput,
    NewOrder,
    OrderChanges,
    StatusInput,
    WarningsQuery,
)
from orders.api.order_output import MoveOutput, OrderOutput, Row, WarningOutput, WholeOrderOutput, history_and_proofs
from orders.api.proof_images import ProofImages
from orders.api.statistics import PERIOD, StatisticsOutput, days_of
from orders.models import Order, Priority
from orders.models.queries import OrderQuerySet
from orders.states import OrderStatus
from web.actors import Actor, Source
from web.api.errors import etag
from web.api.lists import ChoicesFilter, IdFilter, IdsFilter, ordering
from web.api.schema import header

# Actions that return a list.
LISTS = ("list", "urgent")
ETAG = header("ETag", _("The order's version."), OpenApiTypes.STR)


# Near the limits of `date` (years 1 and 9999) a day's midnight cannot be converted to UTC.
DAY_LIMITS = [MinValueValidator(date(2000, 1, 1)), MaxValueValidator(date(2999, 12, 31))]


class OrderFilters(Filters):
    status = ChoicesFilter(choices=OrderStatus.choices, help_text=_("One or more, separated by commas."))
    priority = filters.ChoiceFilter(choices=Priority.choices)
    scheduled_date = filters.DateFilter()
    scheduled_date_from = filters.DateFilter(field_name="scheduled_date", lookup_expr="gte")
    scheduled_date_to = filters.DateFilter(field_name="scheduled_date", lookup_expr="lte")
    day = filters.DateFilter(
        method=lambda orders, _name, day: orders.of_day(day),
        validators=DAY_LIMITS,
        help_text=_("Orders that are scheduled for this day or were last changed on it."),
    )
    driver = IdFilter()
    route = IdFilter()
    customer = IdsFilter(help_text=_("One or more, separated by commas."))
    latest = IdFilter(
        method="newest",
        max_value=20,
        help_text=_("Returns only the newest orders of each customer, at most this many. Works only with `customer`."),
    )
    area = filters.CharFilter(max_length=20)
    q = filters.CharFilter(
        method="search", max_length=100, help_text=_("Part of the number, name, address, or telephone.")
    )
    ordering = ordering("scheduled_date", "created_at", "id", "priority", "stop_sequence")

    def search(self, orders: OrderQuerySet, name: str, value: str) -> OrderQuerySet:
        """Matches telephone digits only for callers who may read the number. Others could guess it digit by digit."""
        return orders.search(value, permissions.orders_with_readable_phone(self.request.user))

    def newest(self, orders: OrderQuerySet, name: str, value: int) -> OrderQuerySet:
        if not self.form.cleaned_data.get("customer"):
            # Without customers, the window function would number every order in the table.
            raise ValidationError({name: [_("`latest` works only with `customer`. Please add `customer`.")]})
        return orders.newest_of_each_customer(value)


class Orders(ProofImages):
    """The office sees all orders, drivers and customers their own. Other orders return 404."""

    queryset = Order.objects.all()
    filterset_class = OrderFilters

    @property
    def throttle_scope(self) -> str | None:
        if self.action == "proof_images":
            return "proof_image"
        return "order" if self.action == "create" and not is_office(self.request.user) else None

    def get_serializer_class(self) -> type[serializers.BaseSerializer[Any]]:
        return OrderOutput if self.action in LISTS else WholeOrderOutput

    def _source(self) -> Source:
        """Where the command comes from: our own pages authenticate by session, programs by token."""
        by_session = isinstance(self.request.successful_authenticator, SessionAuthentication)
        return Source.PAGE if by_session else Source.REST

    def _actor(self) -> Actor:
        return Actor(by=self.request.user, source=self._source())  # type: ignore[arg-type]  # ByRole lets only users in

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        orders = cast("OrderQuerySet", self.filter_queryset(self.get_queryset()))
        page = self.paginate_queryset(order_output.columns(orders))
        return self.get_paginated_response(self._represent(page or ()))

    def _represent(self, rows: Iterable[Row]) -> Sequence[Row]:
        return order_output.represent(rows, cast("Side", side_of(self.request.user)))

    @extend_schema(parameters=[ETAG], responses=WholeOrderOutput)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self._whole_response(self.get_queryset(), self.kwargs["pk"])

    def _whole_response(self, orders: QuerySet[Order], pk: int, status: int = 200) -> Response:
        """The response with the whole order, read again so that it is current. Raises Http404 if it is not found."""
        found = get_object_or_404(order_output.columns(cast("OrderQuerySet", orders)), pk=pk)
        (row,) = self._represent([found])
        if is_office(self.request.user):
            row |= history_and_proofs(row["id"])
        return Response(row, status, headers={"ETag": etag(row["version"])})

    @extend_schema(parameters=[ETAG], request=NewOrder, responses={201: WholeOrderOutput})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Places a pending order at today's prices, which then stay fixed. Customers order for themselves."""
        data = self.validated(NewOrder).validated_data
        permissions.check_placing(request.user, data.keys())
        if not is_office(self.request.user):
            data["customer"] = request.user.customer  # type: ignore[union-attr]
        elif not {"customer", "new_customer"} & data.keys():
            raise serializers.ValidationError(
                {"customer": [_("Please give `customer` or `new_customer`.")]}, code="required"
            )
        return self._whole_response(Order.objects.all(), services.place(actor=self._actor(), **data).pk, 201)

    @extend_schema(parameters=[ETAG], request=OrderChanges, responses=WholeOrderOutput)
    def partial_update(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Applies all changes or none. `driver` assigns the order; null unassigns it."""
        data = self.validated(OrderChanges, partial=True).validated_data
        with transaction.atomic():
            order = self.get_object()
            permissions.check_change(request.user, order, data.keys())
            services.change(order, data, self._actor())
        return self._whole_response(Order.objects.all(), order.pk)

    @extend_schema(operation_id="orders_status", parameters=[ETAG], request=StatusInput, responses=MoveOutput)
    @action(
        detail=True, methods=["patch"], url_path="status", rights={"PATCH": [permissions.MOVE_ORDER]},
        filterset_class=None, pagination_class=None,
    )  # fmt: skip
    def change_status(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Moves the order to another status. After an error (such as 409 `invalid_transition`) nothing was changed."""
        data = self.validated(StatusInput).validated_data
        return self._move(data.pop("status"), data)

    @extend_schema(
        operation_id="orders_confirm_delivery", parameters=[ETAG], request=ConfirmationInput, responses=MoveOutput
    )
    @action(
        detail=True, methods=["post"], url_path="confirm-delivery", rights={"POST": [permissions.DELIVER_ORDER]},
        filterset_class=None, pagination_class=None,
    )  # fmt: skip
    def confirm_delivery(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Stores the proof and moves the order to delivered, in one step."""
        form = self.validated(ConfirmationInput)
        data = form.validated_data
        circumstances = {name: data[name] for name in ("version", "ref") if name in data}
        return self._move(
            OrderStatus.DELIVERED, circumstances | {"at": data.get("confirmed_at"), "proof": form.proof()}
        )

    def _move(self, to: str, circumstances: dict[str, Any]) -> Response:
        user, orders = cast("User", self.request.user), Order.objects.filter(pk=self.kwargs["pk"])
        move = Order.move_one(orders, to, by=user, source=self._source(), **circumstances)
        return Response(MoveOutput(move).data, headers={"ETag": etag(move.version)})

    @extend_schema(operation_id="orders_bulk_update", request=BulkInput, responses=BulkOutput)
    @action(
        detail=False, methods=["post"], url_path="bulk-update", all_rows=True,
        rights={"POST": [permissions.CHANGE_ORDER]}, filterset_class=None, pagination_class=None,
    )  # fmt: skip
    def bulk_update(self, request: Request) -> Response:
        """Changes many orders. Each one succeeds or fails on its own.

        The changes are applied in this order: date, priority, route; status; driver.
        """
        changes = self.validated(BulkInput).validated_data
        ids, versions = changes.pop("ids"), changes.pop("versions", {})
        return Response(BulkOutput(services.bulk_update(ids, changes, self._actor(), versions)).data)

    @extend_schema(operation_id="orders_urgent", responses=OrderOutput(many=True))
    @action(detail=False, all_rows=True)
    def urgent(self, request: Request) -> Response:
        """Urgent orders that are neither delivered nor cancelled."""
        self.queryset = Order.objects.urgent().open()
        return self.list(request)

    @extend_schema(operation_id="orders_warnings", parameters=[WarningsQuery], responses=WarningOutput(many=True))
    @action(
        detail=False, all_rows=True, rights={"GET": [permissions.ADD_ORDER]}, filterset_class=None,
        pagination_class=None,
    )  # fmt: skip
    def warnings(self, request: Request) -> Response:
        """What the office should know before it places an order, for example that another order is open."""
        query = self.validated(WarningsQuery, request.query_params).validated_data
        found = order_warnings.warnings_for(query["customer"])
        return Response(WarningOutput(found, many=True).data)

    @extend_schema(operation_id="orders_statistics", parameters=PERIOD, responses=StatisticsOutput)
    @action(detail=False, all_rows=True, filterset_class=None, pagination_class=None)
    def statistics(self, request: Request) -> Response:
        """Statistics by delivery date, by default for the last 30 days. A period has at most 366 days.

        `total` and `by_status` count all orders; the other figures exclude cancelled ones.
        """
        return Response(statistics.cached_statistics(*days_of(request)))
