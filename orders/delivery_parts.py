"""Registry of delivery parts: what an app adds to a delivery, such as payment or stock.

The API, sockets and the schema read the fields of all parts. The move checks and writes them in its transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rest_framework import serializers

from catalogue.models import Product
from web.limits import MAX_MONEY

if TYPE_CHECKING:
    from orders.models import Order, OrderItem

Fields = Mapping[str, serializers.Field[Any, Any, Any, Any]]
# The items of the order, sorted by product id, with `quantity_delivered` set.
Items = Sequence["OrderItem"]
# Values of the parts' fields, by name.
PartValues = Mapping[str, Any]


def nothing(*args: object) -> None:
    """The default for a step at which a part does nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPart:
    """One part, by a stable name.

    `fields` returns new fields for `confirm-delivery` and for the socket's `delivery.confirmed`. `check` raises
    Refusal. It may set columns of the order but writes nothing. `deliver` writes after the order is saved. `take_back`
    writes when a delivered order is cancelled.
    """

    name: str
    fields: Callable[[], Fields] = dict
    check: Callable[[Order, PartValues], None] = nothing
    deliver: Callable[[Order, Items, PartValues, datetime], None] = nothing
    take_back: Callable[[Order, Items], None] = nothing


# By name; called in order of registration.
PARTS: dict[str, DeliveryPart] = {}


def register(part: DeliveryPart) -> None:
    """Apps call this in `AppConfig.ready()`."""
    PARTS[part.name] = part


def fields() -> Fields:
    """New field objects of all parts, by name."""
    return {name: field for part in PARTS.values() for name, field in part.fields().items()}


def _amount_field() -> Fields:
    return {"amount_collected": serializers.IntegerField(min_value=0, max_value=MAX_MONEY, required=False)}


def _set_amount(order: Order, values: PartValues) -> None:
    """In NT$. A missing amount leaves the column unchanged."""
    if values.get("amount_collected") is not None:
        order.amount_collected = values["amount_collected"]


def _take_from_stock(order: Order, items: Items, *_: object) -> None:
    """Locks products by ascending id, so that two deliveries cannot deadlock."""
    for item in items:
        Product.add_stock(item.product_id, -(item.quantity_delivered or 0))


def _return_to_stock(order: Order, items: Items) -> None:
    for item in items:
        Product.add_stock(item.product_id, item.quantity_delivered or 0)


register(DeliveryPart(name="payment", fields=_amount_field, check=_set_amount))
register(DeliveryPart(name="stock", deliver=_take_from_stock, take_back=_return_to_stock))
