"""An order as each role sees it: the one place that decides which fields go to whom."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.api.by_role import FieldsByRole
from accounts.roles import Side, side_of
from customers import phones
from orders.api.proof_images import ProofImageOutput
from orders.estimates import door_of
from orders.models import DeliveryConfirmation, Order, OrderItem, OrderStatusChange
from orders.states import OPEN, Status

CUSTOMER = frozenset(
    {"id", "order_number", "version", "status", "priority", "attempt", "customer", "customer_name", "items",
     "scheduled_date", "time_slot", "eta", "delivery_address", "area", "notes", "amount_due", "amount_collected",
     "created_at", "updated_at"}
)  # fmt: skip
DRIVER = CUSTOMER | {
    "customer_phone", "customer_phone2", "driver", "route", "stop_sequence", "latitude", "longitude"
}  # fmt: skip
OFFICE = DRIVER | {"driver_name", "reported_later", "history", "confirmations", "proof_images"}


class ItemOutput(serializers.ModelSerializer[OrderItem]):
    name = serializers.CharField(source="product.name", read_only=True)

    class Meta:
        model = OrderItem
        fields = read_only_fields = ("product", "name", "quantity", "unit_price", "quantity_delivered")


class ByField(serializers.CharField):
    """The name of whoever did it; null is the system itself."""

    def __init__(self) -> None:
        super().__init__(source="by", read_only=True, allow_null=True)

    def to_representation(self, value: Any) -> str:
        return str(value.get_full_name() or value.get_username())


class HistoryOutput(serializers.ModelSerializer[OrderStatusChange]):
    from_status = serializers.ChoiceField(
        Status.choices, read_only=True, allow_blank=True, help_text=_("Empty where the order was placed.")
    )
    changed_by = ByField()
    sent_later = serializers.BooleanField(
        read_only=True, help_text=_("Done without a line and reported later; `at` is when it happened.")
    )

    class Meta:
        model = OrderStatusChange
        fields = read_only_fields = (
            "from_status", "to_status", "changed_by", "source", "reason", "at", "recorded_at", "sent_later", "details",
            "version",
        )  # fmt: skip


class ConfirmationOutput(serializers.ModelSerializer[DeliveryConfirmation]):
    confirmed_by = ByField()

    class Meta:
        model = DeliveryConfirmation
        fields = read_only_fields = (
            "attempt", "confirmation_type", "cylinder_serials", "confirmed_at", "confirmed_by", "latitude", "longitude",
        )  # fmt: skip


@extend_schema_field(str)
class CallingNumberField(serializers.Field[str, Any, str, Order]):
    """The customer's telephone: in full for the driver while there is something to deliver, else masked."""

    def get_attribute(self, instance: Order) -> str:
        number: str = getattr(instance.customer, self.field_name.removeprefix("customer_"))  # type: ignore[union-attr]
        calling = side_of(self.context["request"].user) is Side.DRIVER and instance.status in OPEN
        return number if calling else phones.mask(number)

    def to_representation(self, value: str) -> str:
        return value


class DoorField(serializers.FloatField):
    """A coordinate of the door, known where the order goes to the customer's own address (WGS 84)."""

    def __init__(self) -> None:
        super().__init__(read_only=True, allow_null=True)

    def get_attribute(self, instance: Any) -> float | None:
        door = door_of(instance)
        return door[self.field_name == "longitude"] if door else None


class ReportedLaterField(serializers.DateTimeField):
    """When the last move happened, where that was told later."""

    def __init__(self) -> None:
        help_text = _("When the last move happened, if it was done without a line and reported later; else null.")
        super().__init__(read_only=True, allow_null=True, help_text=help_text)

    def get_attribute(self, instance: Order) -> datetime | None:
        last = max(instance.history.all(), key=lambda change: change.version, default=None)
        return last.at if last is not None and last.sent_later else None


class OrderOutput(FieldsByRole, serializers.ModelSerializer[Order]):
    """A row of a list."""

    seen_by = {Side.OFFICE: OFFICE, Side.DRIVER: DRIVER, Side.CUSTOMER: CUSTOMER}
    customer_name = serializers.CharField(source="customer.name", read_only=True)
    customer_phone = CallingNumberField(read_only=True)
    customer_phone2 = CallingNumberField(read_only=True)
    driver_name = serializers.CharField(source="driver.name", read_only=True, allow_null=True, default=None)
    items = ItemOutput(many=True, read_only=True)
    latitude = DoorField()
    longitude = DoorField()
    reported_later = ReportedLaterField()

    class Meta:
        model = Order
        fields: tuple[str, ...] = (
            "id", "order_number", "version", "status", "priority", "attempt", "customer", "customer_name",
            "customer_phone", "customer_phone2", "items", "scheduled_date", "time_slot", "eta", "reported_later",
            "delivery_address", "area", "latitude", "longitude", "notes", "driver", "driver_name", "route",
            "stop_sequence", "amount_due", "amount_collected", "created_at", "updated_at",
        )  # fmt: skip
        read_only_fields = fields


class WholeOrderOutput(OrderOutput):
    """One order, for the office with its history and proofs of delivery."""

    history = HistoryOutput(many=True, read_only=True)
    confirmations = ConfirmationOutput(many=True, read_only=True)
    proof_images = ProofImageOutput(many=True, read_only=True)

    class Meta(OrderOutput.Meta):
        fields = read_only_fields = (*OrderOutput.Meta.fields, "history", "confirmations", "proof_images")


class MoveOutput(serializers.Serializer[OrderStatusChange]):
    """A move that was made; a command repeated with its `ref` gets the very same answer."""

    # By name, and not looked up in the model for each answer as a ModelSerializer does: this is asked for most often.
    id = serializers.IntegerField(source="order_id", read_only=True)
    order_number = serializers.CharField(source="order.order_number", read_only=True)
    status = serializers.CharField(source="to_status", read_only=True)
    version = serializers.IntegerField(read_only=True)
    at = serializers.DateTimeField(read_only=True)
    ref = serializers.CharField(read_only=True, allow_null=True)
