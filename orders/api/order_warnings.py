"""`orders/warnings/`: what to know of a customer before an order is placed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from customers.models import Customer
from orders import order_warnings
from orders.models import Order
from web.api.fields import related

if TYPE_CHECKING:
    from rest_framework.viewsets import GenericViewSet

    View = GenericViewSet[Order]
else:
    View = object


class OfWhom(serializers.Serializer[Any]):
    customer = related(Customer.objects.active())


class WarningOutput(serializers.Serializer[Any]):
    code = serializers.CharField(help_text="Stable, for programs.")
    detail = serializers.CharField(help_text="For people, in the caller's language.")


class OrderWarnings(View):
    """Mixed into the resource of orders."""

    @extend_schema(operation_id="orders_warnings", parameters=[OfWhom], responses=WarningOutput(many=True))
    @action(
        detail=False, all_rows=True, rights={"GET": ["orders.add_order"]},
        filterset_class=None, pagination_class=None,
    )  # fmt: skip
    def warnings(self, request: Request) -> Response:
        """An open order, nobody to send a message to, and what else is known."""
        asked = OfWhom(data=request.query_params)
        asked.is_valid(raise_exception=True)
        found = order_warnings.of(asked.validated_data["customer"])
        return Response(WarningOutput(found, many=True).data)
