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
from orders.estimates import door_at
from orders.models import Order, OrderItem
from orders.states import OPEN

Values = Mapping[str, Any]
Make = Callable[[Values, Side], Any]
ALL, STAFF, OFFICE = frozenset(Side), frozenset({Side.OFFICE, Side.DRIVER}), frozenset({Side.OFFICE})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OrderField:
    """One field.

    `seen_by` holds the sides that may read it. `event` is its name in events; only columns of `Order` can have one.
    Fields without it are left out of events. The office's events carry all others. Driver and customer receive the
    same event, so theirs carries only what a customer may see.

    `columns` are the query paths of the columns the value is computed from. It is empty if `orders.api.order_output`
    adds the value. `make` computes the value for one side; by default it is the first column. `json` is the DRF field
    and its options, if not the model's own field.
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
    """ISO 8601, moments in Taipei time."""
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
    """The name of a related customer or driver."""
    json = (serializers.CharField, {"read_only": True} | options)
    return OrderField(name=name, seen_by=seen_by, columns=(path,), json=json)


def _telephone(name: str, path: str) -> OrderField:
    """Unmasked for the driver while the order is open, else masked."""

    def make(values: Values, side: Side) -> str:
        calling = side is Side.DRIVER and values["status"] in OPEN
        return str(values[path] if calling else phones.mask(values[path]))

    json = (serializers.CharField, {"read_only": True})
    return OrderField(name=name, seen_by=STAFF, columns=(path, "status"), make=make, json=json)


DOOR = ("delivery_address", "customer__address", "customer__latitude", "customer__longitude")


def _coordinate(name: str, of: int) -> OrderField:
    """A coordinate of the door (WGS 84), null if unknown."""

    parts = itemgetter(*DOOR)

    def make(values: Values, side: Side) -> float | None:
        door = door_at(*parts(values))
        return door[of] if door else None

    json = (serializers.FloatField, {"read_only": True, "allow_null": True})
    return OrderField(name=name, seen_by=STAFF, columns=DOOR, make=make, json=json)


LATER = _("Time of the last status change, if it was made offline and reported later; otherwise null.")
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
    """The fields in events for this side. The driver of an order gets the customer's event."""
    return [field for field in seen_by(side) if field.event]


def event_data(order: Order) -> dict[str, Any]:
    """A copy of the order's event fields, by event name. Events are built later, when the order may have changed."""
    return {field.event: _plain(getattr(order, field.columns[0])) for field in in_events(Side.OFFICE)}


def _plain(value: Any) -> Any:
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
        given = next((field.json for field in FIELDS if field.name == field_name), None)
        return given or super().build_field(field_name, info, model_class, nested_depth)
