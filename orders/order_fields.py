"""The fields of an order as JSON: one table, of which rows, the single order, events and their schema are made.

A column of `Order` that clients shall read needs one entry in `FIELDS`, and nothing elsewhere.
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
from orders.estimates import door_at
from orders.models import Order, OrderItem
from orders.states import OPEN

Values = Mapping[str, Any]
Make = Callable[[Values, Side], Any]
ALL, STAFF, OFFICE = frozenset(Side), frozenset({Side.OFFICE, Side.DRIVER}), frozenset({Side.OFFICE})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OrderField:
    """One field.

    `seen_by` are the sides that read it. `event` is its name in events, for columns of `Order` alone; without one they
    leave it out. The office's events carry all such fields; those for the driver and customer carry what a customer
    sees, because both get the same event.

    `columns` are the paths from the order that the value is read from: its own name, unless given; none where
    `orders.api.order_output` adds the value. `make` makes the value for one side; without it the first column is the
    value. `json` is the DRF field and its options, where it is not the model's own field.
    """

    name: str
    seen_by: frozenset[Side]
    event: str = ""
    columns: tuple[str, ...]
    make: Make | None = None
    json: tuple[type[serializers.Field[Any, Any, Any, Any]], dict[str, Any]] | None = None


class ItemOutput(serializers.ModelSerializer[OrderItem]):
    name = serializers.CharField(source="product.name", read_only=True)

    class Meta:
        model = OrderItem
        fields = read_only_fields = ("product", "name", "quantity", "unit_price", "quantity_delivered")


def as_text(value: date | None) -> str | None:
    """ISO 8601; a moment by Taipei's clock."""
    if isinstance(value, datetime):
        value = timezone.localtime(value)
    return value.isoformat() if value else None


def column(name: str, seen_by: frozenset[Side], event: str = "") -> OrderField:
    """A column of the order itself."""
    kind = cast("models.Field[Any, Any]", Order._meta.get_field(name))
    make: Make | None = None
    if isinstance(kind, models.DateField):
        make = lambda values, side: as_text(values[name])  # noqa: E731
    return OrderField(name=name, seen_by=seen_by, event=event, columns=(kind.attname,), make=make)


def _name(name: str, seen_by: frozenset[Side], path: str, **options: Any) -> OrderField:
    """The name of somebody else."""
    json = (serializers.CharField, {"read_only": True} | options)
    return OrderField(name=name, seen_by=seen_by, columns=(path,), json=json)


def _telephone(name: str, path: str) -> OrderField:
    """In full for the driver while there is something to deliver, else masked."""

    def make(values: Values, side: Side) -> str:
        calling = side is Side.DRIVER and values["status"] in OPEN
        return str(values[path] if calling else phones.mask(values[path]))

    json = (serializers.CharField, {"read_only": True})
    return OrderField(name=name, seen_by=STAFF, columns=(path, "status"), make=make, json=json)


DOOR = ("delivery_address", "customer__address", "customer__latitude", "customer__longitude")


def _coordinate(name: str, of: int) -> OrderField:
    """Of the door (WGS 84), where it is known."""

    parts = itemgetter(*DOOR)

    def make(values: Values, side: Side) -> float | None:
        door = door_at(*parts(values))
        return door[of] if door else None

    json = (serializers.FloatField, {"read_only": True, "allow_null": True})
    return OrderField(name=name, seen_by=STAFF, columns=DOOR, make=make, json=json)


LATER = _("When the last status change happened, if it was done offline and reported later. Otherwise null.")
FIELDS: tuple[OrderField, ...] = (
    column("id", ALL, "order_id"),
    column("order_number", ALL, "order_number"),
    column("version", ALL, "version"),
    column("status", ALL, "status"),
    column("priority", ALL, "priority"),
    column("attempt", ALL, "attempt"),
    column("customer", ALL, "customer_id"),
    _name("customer_name", ALL, "customer__name"),
    _telephone("customer_phone", "customer__phone"),
    _telephone("customer_phone2", "customer__phone2"),
    OrderField(name="items", seen_by=ALL, columns=(), json=(ItemOutput, {"many": True, "read_only": True})),
    column("scheduled_date", ALL, "scheduled_date"),
    column("time_slot", ALL, "time_slot"),
    column("eta", ALL, "eta"),
    OrderField(
        name="reported_later", seen_by=OFFICE, columns=(),
        json=(serializers.DateTimeField, {"read_only": True, "allow_null": True, "help_text": LATER}),
    ),
    column("delivery_address", ALL, "address"),
    column("area", ALL, "area"),
    _coordinate("latitude", 0),
    _coordinate("longitude", 1),
    column("notes", ALL),
    column("driver", STAFF, "driver_id"),
    _name("driver_name", OFFICE, "driver__name", allow_null=True, default=None),
    column("route", STAFF, "route_id"),
    column("stop_sequence", STAFF, "stop_sequence"),
    column("amount_due", ALL, "amount_due"),
    column("amount_collected", ALL),
    column("created_at", ALL),
    column("updated_at", ALL),
)  # fmt: skip


def seen_by(side: Side) -> Sequence[OrderField]:
    return _seen_by(FIELDS, side)


@lru_cache
def _seen_by(fields: tuple[OrderField, ...], side: Side) -> Sequence[OrderField]:
    return [field for field in fields if side in field.seen_by]


def in_events(side: Side) -> list[OrderField]:
    """What events carry to this side. The driver of an order gets the customer's."""
    return [field for field in seen_by(side) if field.event]


def event_data(order: Order) -> dict[str, Any]:
    """What events say of the order, by their names there: as it is now, for it may be another when they are made."""
    return {field.event: _plain(getattr(order, field.columns[0])) for field in in_events(Side.OFFICE)}


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


class OrderFieldsSerializer(serializers.ModelSerializer[Order]):
    """Has the fields of the table, for the schema: the rows themselves are made of columns."""

    class Meta:
        model = Order

    def get_field_names(self, declared_fields: Mapping[str, Any], info: Any) -> list[str]:
        return [*(field.name for field in FIELDS), *declared_fields]

    def get_extra_kwargs(self) -> dict[str, Any]:
        return {field.name: {"read_only": True} for field in FIELDS}

    def build_field(self, field_name: str, info: Any, model_class: Any, nested_depth: int) -> Any:
        given = next((field.json for field in FIELDS if field.name == field_name), None)
        return given or super().build_field(field_name, info, model_class, nested_depth)
