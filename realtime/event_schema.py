"""The event types in the OpenAPI schema, from which clients generate types. Only events on orders list their data."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from rest_framework import serializers

from accounts.roles import Side
from orders.models import ConfirmationType
from orders.order_fields import OrderFieldsSerializer, event_fields
from orders.states import OrderStatus
from web.actors import Source

ORDER_CHANGES = ("order.created", "order.updated", "order.status_changed", "order.urgent", "order.cancelled")


class ProductCount(serializers.Serializer[Any]):
    name = serializers.CharField()
    quantity = serializers.IntegerField()


class OrderEventData(OrderFieldsSerializer):
    """Order data for the order's driver and customer. `previous_status`: only in `order.status_changed`."""

    side = Side.CUSTOMER
    customer_name = serializers.CharField()
    products = ProductCount(many=True)
    previous_status = serializers.ChoiceField(OrderStatus.choices, required=False)

    def get_fields(self) -> dict[str, Any]:
        declared = super().get_fields()
        fields = {}
        for field in event_fields(self.side):
            fields[field.event] = declared[field.name]
            fields[field.event].source = field.name if field.name != field.event else None
        return fields | {name: declared[name] for name in self._declared_fields}


class OfficeOrderEventData(OrderEventData):
    """Order data for the office. `changed_by`, `source`, `reason`, `at`: only in `order.status_changed`."""

    side = Side.OFFICE
    changed_by = serializers.CharField(required=False)
    source = serializers.ChoiceField(Source.choices, required=False)  # type: ignore[assignment]
    reason = serializers.CharField(required=False)
    at = serializers.DateTimeField(required=False)


class UnassignedData(serializers.Serializer[Any]):
    order_id = serializers.IntegerField()
    order_number = serializers.CharField()
    version = serializers.IntegerField()


class DeliveryUpdateData(serializers.Serializer[Any]):
    """`message` is in the customer's language."""

    order_id = serializers.IntegerField()
    order_number = serializers.CharField()
    status = serializers.ChoiceField(OrderStatus.choices)
    eta = serializers.DateTimeField(allow_null=True)
    message = serializers.CharField()


class ConfirmedData(serializers.Serializer[Any]):
    order_id = serializers.IntegerField()
    confirmation_type = serializers.ChoiceField(ConfirmationType.choices)
    cylinder_serials = serializers.ListField(child=serializers.CharField())
    confirmed_at = serializers.DateTimeField()


def define_event(name: str, type_: Any, data: Any) -> type[serializers.Serializer[Any]]:
    envelope = {
        "type": type_, "id": serializers.IntegerField(), "channel": serializers.CharField(),
        "timestamp": serializers.DateTimeField(), "data": data,
    }  # fmt: skip
    return type(name, (serializers.Serializer,), envelope)


def one_of(*types: str) -> serializers.ChoiceField:
    return serializers.ChoiceField([(type_, type_) for type_ in types])


EVENTS = (
    define_event("OfficeOrderEvent", one_of(*ORDER_CHANGES), OfficeOrderEventData()),
    define_event("OrderEvent", one_of(*ORDER_CHANGES, "order.assigned"), OrderEventData()),
    define_event("OrderUnassigned", one_of("order.unassigned"), UnassignedData()),
    define_event("DeliveryUpdate", one_of("delivery.update"), DeliveryUpdateData()),
    define_event("DeliveryConfirmed", one_of("delivery.confirmed"), ConfirmedData()),
    define_event("EventEnvelope", serializers.CharField(), serializers.DictField()),
)


class AnyEvent(serializers.DictField):
    """Any of `EVENTS`."""


class AnyEventExtension(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = AnyEvent

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> Any:
        return {"anyOf": [auto_schema.resolve_serializer(shape, direction).ref for shape in EVENTS]}
