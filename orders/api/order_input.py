"""Request bodies of `orders/`. `orders.permissions` and `orders.services` decide whether a request is allowed."""

from __future__ import annotations

import unicodedata
from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from customers.api import PhoneNumberField
from customers.models import Customer
from dispatch.models import Driver, Route
from orders import delivery_parts
from orders.models import ConfirmationType, OrderItem, Priority, TimeSlot
from orders.models.item import MAX_LINES, OrderLine
from orders.models.order import MAX_STOPS, Proof
from orders.models.proof import MAX_SERIAL_LENGTH, MAX_SERIALS
from orders.states import PROMISED, OrderStatus
from web.api.fields import FiniteFloatField, NearDateTimeField, Strict, StrictModelSerializer, id_field, related_field
from web.limits import is_id

MAX_IDS = 1000
MAX_REASON = 500  # characters


class ByIdField(serializers.DictField):
    """An object that maps at most `max_keys` ids to numbers."""

    def __init__(self, *, max_keys: int, **kwargs: Any) -> None:
        super().__init__(required=False, **kwargs)
        self.max_keys = max_keys

    def to_internal_value(self, data: Any) -> dict[int, int]:
        numbers = super().to_internal_value(data)
        if len(numbers) > self.max_keys:
            raise serializers.ValidationError(_("At most %d ids are allowed. Please give fewer.") % self.max_keys)
        if not all(map(is_id, numbers)):
            raise serializers.ValidationError(_('Every key must be an id, as in {"12": 1}. Please correct the keys.'))
        return {int(key): number for key, number in numbers.items()}


class ItemInput(Strict):
    """A number of cylinders of one product."""

    product = id_field()
    quantity = serializers.IntegerField(min_value=1, max_value=OrderItem.MAX_QUANTITY)

    def validate(self, attrs: dict[str, int]) -> OrderLine:
        """Returns the line. Requires both fields also in a PATCH, where DRF makes nested fields optional."""
        if missing := self.fields.keys() - attrs.keys():
            detail = self.fields["product"].error_messages["required"]
            raise serializers.ValidationError({name: [detail] for name in sorted(missing)}, code="required")
        return OrderLine(**attrs)


class OrderInput(Strict):
    """Fields that callers may set when they place an order, and change later."""

    items = ItemInput(many=True, allow_empty=False, max_length=MAX_LINES)  # type: ignore[call-arg]
    scheduled_date = serializers.DateField()
    time_slot = serializers.ChoiceField(TimeSlot.choices, required=False)
    delivery_address = serializers.CharField(max_length=200, required=False)
    notes = serializers.CharField(max_length=2000, required=False, allow_blank=True)
    priority = serializers.ChoiceField(Priority.choices, required=False)


class NewCustomer(StrictModelSerializer[Customer]):
    """A customer who orders for the first time. Other fields can be added later."""

    phone = PhoneNumberField(required=False)

    class Meta:
        model = Customer
        fields = ("name", "phone", "address")


class NewOrder(OrderInput):
    """An order to place. A repeated `ref` returns the order that the first request placed."""

    customer = related_field(
        Customer.objects.active(),
        required=False,
        help_text=_(
            "Required for the office, unless `new_customer` is given. Customers leave it out and order for themselves."
        ),
    )
    new_customer = NewCustomer(required=False, help_text=_("Office only, instead of `customer`."))
    ref = serializers.CharField(max_length=64, required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if {"customer", "new_customer"} <= attrs.keys():
            raise serializers.ValidationError(_("Please give `customer` or `new_customer`, not both."), code="invalid")
        return attrs


class WarningsQuery(serializers.Serializer[Any]):
    customer = related_field(Customer.objects.active())


class OrderChanges(OrderInput):
    """The fields to change; others stay. `version`, if given, must be the current one."""

    customer = related_field(Customer.objects.active(), required=False)
    eta = NearDateTimeField(required=False, allow_null=True)
    driver = related_field(Driver.objects.filter(is_active=True), required=False, allow_null=True)
    route = related_field(Route.objects.select_related("driver"), required=False, allow_null=True)
    stop_sequence = serializers.IntegerField(min_value=1, max_value=MAX_STOPS, required=False, allow_null=True)
    version = serializers.IntegerField(min_value=1, required=False)


class CommandInput(Strict):
    """Fields of every command. `ref` is the caller's idempotency key."""

    version = serializers.IntegerField(min_value=1, required=False)
    ref = serializers.CharField(max_length=64, required=False)


class ReasonInput(serializers.Serializer[Any]):
    """A request with an optional reason."""

    reason = serializers.CharField(max_length=MAX_REASON, required=False, allow_blank=True)


class MoveDetails(ReasonInput):
    """Fields of a socket command in addition to the status. `eta` is the arrival time announced to the customer."""

    notes = serializers.CharField(max_length=MAX_REASON, required=False, allow_blank=True)
    eta = NearDateTimeField(required=False)


class StatusInput(ReasonInput, CommandInput):
    """The status to move to, and the reason. `at` is when the move happened."""

    status = serializers.ChoiceField(OrderStatus.choices)
    at = serializers.DateTimeField(required=False)
    driver = related_field(
        Driver.objects.filter(is_active=True),
        required=False,
        help_text=_(
            "The driver to assign, with the status “assigned”. Required if neither the order nor its route has a "
            "driver."
        ),
    )


class ConfirmationInput(CommandInput):
    """Proof of delivery. Give `quantities` only if less was delivered than ordered."""

    confirmation_type = serializers.ChoiceField(ConfirmationType.choices)
    cylinder_serials = serializers.ListField(
        child=serializers.CharField(max_length=MAX_SERIAL_LENGTH), max_length=MAX_SERIALS, required=False
    )
    quantities = ByIdField(
        max_keys=MAX_LINES, child=serializers.IntegerField(min_value=0, max_value=OrderItem.MAX_QUANTITY),
        help_text=_("Cylinders delivered, by product id."),
    )  # fmt: skip
    confirmed_at = serializers.DateTimeField(required=False)
    latitude = FiniteFloatField(min_value=-90, max_value=90, required=False)
    longitude = FiniteFloatField(min_value=-180, max_value=180, required=False)

    def get_fields(self) -> dict[str, Any]:
        """Adds the fields that `delivery_parts` registers."""
        return {**super().get_fields(), **delivery_parts.fields()}

    def validate_cylinder_serials(self, serials: list[str]) -> list[str]:
        """Converts letters to upper case, and full-width ones (`ＣＹＬ1`, from input methods) to ASCII.

        Drops duplicates.
        """
        return list(dict.fromkeys(unicodedata.normalize("NFKC", serial).strip().upper() for serial in serials))

    def proof(self) -> Proof:
        data = self.validated_data
        names = ("confirmation_type", "cylinder_serials", "quantities", "latitude", "longitude")
        parts = {name: data[name] for name in delivery_parts.fields() if name in data}
        return Proof(**{name: data[name] for name in names if name in data}, parts=parts)


class BulkInput(ReasonInput, Strict):
    """The orders to change, and the changes."""

    ids = serializers.ListField(child=id_field(), allow_empty=False, max_length=MAX_IDS)
    versions = ByIdField(
        max_keys=MAX_IDS, child=serializers.IntegerField(min_value=1),
        help_text=_("The expected version by order id. An order with another version is not changed."),
    )  # fmt: skip
    status = serializers.ChoiceField(OrderStatus.choices, required=False)
    driver = related_field(Driver.objects.filter(is_active=True), required=False, allow_null=True)
    route = related_field(Route.objects.select_related("driver"), required=False, allow_null=True)
    priority = serializers.ChoiceField(Priority.choices, required=False)
    scheduled_date = serializers.DateField(required=False)

    def validate_ids(self, ids: list[int]) -> list[int]:
        if len(set(ids)) < len(ids):
            repeated = next(id_ for id_ in ids if ids.count(id_) > 1)
            detail = _("Order %d is listed more than once. Please list it once.") % repeated
            raise serializers.ValidationError(detail, code="unique")
        return ids

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs.keys() - {"ids", "reason", "versions"}:
            raise serializers.ValidationError(
                _("Please give at least one change: `status`, `driver`, `route`, `priority` or `scheduled_date`.")
            )
        if "driver" in attrs and attrs.get("status", OrderStatus.ASSIGNED) not in PROMISED:
            detail = _("With `driver`, the `status` must be `confirmed` or `assigned`, or be left out.")
            raise serializers.ValidationError({"driver": [detail]})
        return attrs


class FailureOutput(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    code = serializers.CharField()
    detail = serializers.CharField()


class BulkOutput(serializers.Serializer[Any]):
    updated = serializers.ListField(child=serializers.IntegerField())
    failed = FailureOutput(many=True)
