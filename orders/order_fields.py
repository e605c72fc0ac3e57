"""The JSON fields of an order, in one table. Lists, the single order, events and the schema are generated from it.

To expose a column of `Order` to clients, add one entry to `FIELDS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from operator import itemgetter
from typing import Any, cast

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from accounts.roles import Side
from customers import phones
from orders.estimates import address_coordinates
from orders.models import Order, OrderItem
from orders.states import OPEN

Values = Mapping[str, Any]
Compute = Callable[[Values, Side], Any]
ALL, STAFF, OFFICE = frozenset(Side), frozenset({Side.OFFICE, Side.DRIVER}), frozenset({Side.OFFICE})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OrderField:
    """One JSON field of an order.

    `seen_by` holds the sides that may read the field. `event` is its name in events; only columns of `Order` can have
    one. Events carry only fields with such a name: the office's events all of them, other events those that a customer
    may see, because the driver and the customer of an order receive the same event.

    `columns` are the query paths of the columns from which the value is computed; empty if `orders.api.order_output`
    adds the value. `compute` returns the value for one side. Without it, the value is that of the first column. `json`
    is the DRF field and its options; None for the model's own field.
    """

    name: str
    seen_by: frozenset[Side]
    event: str = ""
    columns: tuple[str, ...]
    compute: Compute | None = None
    json: tuple[type[serializers.Field[Any, Any, Any, Any]], dict[str, Any]] | None = None


class ItemOutput(serializers.ModelSerializer[OrderItem]):
    name = serializers.CharField(source="product.name", read_only=True)

    class Meta:
        model = OrderItem
        fields = read_only_fields = ("product", "name", "quantity", "unit_price", "quantity_delivered")


def iso_text(value: date | None) -> str | None:
    """Formats a date or moment as ISO 8601, a moment in Taipei time. Returns None for None."""
    if isinstance(value, datetime):
        value = timezone.localtime(value)
    return value.isoformat() if value else None


def column_field(name: str, seen_by: frozenset[Side], event: str = "") -> OrderField:
    """The field for a column of the order itself. Its dates and moments are ISO 8601 text."""
    model_field = cast("models.Field[Any, Any]", Order._meta.get_field(name))
    compute: Compute | None = None
    if isinstance(model_field, models.DateField):
        compute = lambda values, side: iso_text(values[name])  # noqa: E731
    return OrderField(name=name, seen_by=seen_by, event=event, columns=(model_field.attname,), compute=compute)


def _related_name_field(name: str, seen_by: frozenset[Side], path: str, **options: Any) -> OrderField:
    """The field for the name of a related customer or driver. `options` are those of its serializer field."""
    json = (serializers.CharField, {"read_only": True} | options)
    return OrderField(name=name, seen_by=seen_by, columns=(path,), json=json)


def _telephone_field(name: str, path: str) -> OrderField:
    """A telephone number of the customer, complete for the driver while the order is open, otherwise masked."""

    def compute(values: Values, side: Side) -> str:
        is_complete = side is Side.DRIVER and values["status"] in OPEN
        return str(values[path] if is_complete else phones.mask(values[path]))

    json = (serializers.CharField, {"read_only": True})
    return OrderField(name=name, seen_by=STAFF, columns=(path, "status"), compute=compute, json=json)


# The arguments of `address_coordinates`, as query paths.
COORDINATE_COLUMNS = ("delivery_address", "customer__address", "customer__latitude", "customer__longitude")


def _coordinate_field(name: str, index: int) -> OrderField:
    """A coordinate of the delivery address (WGS 84): latitude (0) or longitude (1), null if unknown."""

    parts = itemgetter(*COORDINATE_COLUMNS)

    def compute(values: Values, side: Side) -> float | None:
        place = address_coordinates(*parts(values))
        return place[index] if place else None

    json = (serializers.FloatField, {"read_only": True, "allow_null": True})
    return OrderField(name=name, seen_by=STAFF, columns=COORDINATE_COLUMNS, compute=compute, json=json)


LATER = _("Time of the last status change, if it was made offline and reported later; otherwise null.")
FIELDS: tuple[OrderField, ...] = (
    column_field("id", ALL, "order_id"),
    column_field("order_number", ALL, "order_number"),
    column_field("version", ALL, "version"),
    column_field("status", ALL, "status"),
    column_field("priority", ALL, "priority"),
    column_field("attempt", ALL, "attempt"),
    column_field("customer", ALL, "customer_id"),
    _related_name_field("customer_name", ALL, "customer__name"),
    _telephone_field("customer_phone", "customer__phone"),
    _telephone_field("customer_phone2", "customer__phone2"),
    OrderField(name="items", seen_by=ALL, columns=(), json=(ItemOutput, {"many": True, "read_only": True})),
    column_field("scheduled_date", ALL, "scheduled_date"),
    column_field("time_slot", ALL, "time_slot"),
    column_field("eta", ALL, "eta"),
    OrderField(
        name="reported_later", seen_by=OFFICE, columns=(),
        json=(serializers.DateTimeField, {"read_only": True, "allow_null": True, "help_text": LATER}),
    ),
    column_field("delivery_address", ALL, "address"),
    column_field("area", ALL, "area"),
    _coordinate_field("latitude", 0),
    _coordinate_field("longitude", 1),
    column_field("notes", ALL),
    column_field("driver", STAFF, "driver_id"),
    _related_name_field("driver_name", OFFICE, "driver__name", allow_null=True, default=None),
    column_field("route", STAFF, "route_id"),
    column_field("stop_sequence", STAFF, "stop_sequence"),
    column_field("amount_due", ALL, "amount_due"),
    column_field("amount_collected", ALL),
    column_field("created_at", ALL),
    column_field("updated_at", ALL),
)  # fmt: skip


def fields_seen_by(side: Side) -> Sequence[OrderField]:
    return _fields_seen_by(FIELDS, side)


@lru_cache
def _fields_seen_by(fields: tuple[OrderField, ...], side: Side) -> Sequence[OrderField]:
    return [field for field in fields if side in field.seen_by]


def event_fields(side: Side) -> list[OrderField]:
    """The fields in events for this side. The driver of an order gets the event with the customer's fields."""
    return [field for field in fields_seen_by(side) if field.event]


def event_data(order: Order) -> dict[str, Any]:
    """A copy of the order's event fields, by event name. Events are built later, when the order may have changed."""
    return {field.event: _json_value(getattr(order, field.columns[0])) for field in event_fields(Side.OFFICE)}


def _json_value(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


class OrderFieldsSerializer(serializers.ModelSerializer[Order]):
    """Declares the fields of the table for the schema. Responses are built from columns, without serializers."""

    class Meta:
        model = Order

    def get_field_names(self, declared_fields: Mapping[str, Any], info: Any) -> list[str]:
        return [*(field.name for field in FIELDS), *declared_fields]

    def get_extra_kwargs(self) -> dict[str, Any]:
        return {field.name: {"read_only": True} for field in FIELDS}

    def build_field(self, field_name: str, info: Any, model_class: Any, nested_depth: int) -> Any:
        custom = next((field.json for field in FIELDS if field.name == field_name), None)
        return custom or super().build_field(field_name, info, model_class, nested_depth)
