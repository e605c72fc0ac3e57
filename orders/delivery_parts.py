"""Registry of delivery parts: what an app adds to a delivery, such as payment or stock.

The API, the sockets and the schema read the fields of all parts. `Order.move` calls the functions of all parts in its
transaction.
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


def do_nothing(*args: object) -> None:
    """The default for a function that a part does not need."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPart:
    """One part. `name` must be unique: it is the key in PARTS.

    `fields` returns new fields for `confirm-delivery` and for the socket's `delivery.confirmed`. `check` raises Refusal
    if a value is not allowed. It may set columns of the order, which the move then saves. `deliver` writes the part's
    own rows after the order is saved; its last argument is the time of the delivery. `take_back` undoes this when a
    delivered order is cancelled.
    """

    name: str
    fields: Callable[[], Fields] = dict
    check: Callable[[Order, PartValues], None] = do_nothing
    deliver: Callable[[Order, Items, PartValues, datetime], None] = do_nothing
    take_back: Callable[[Order, Items], None] = do_nothing


# The registered parts by name. The move calls them in order of registration.
PARTS: dict[str, DeliveryPart] = {}


def register(part: DeliveryPart) -> None:
    """Adds a part, or replaces the one with the same name. Call it in `AppConfig.ready()`."""
    PARTS[part.name] = part


def fields() -> Fields:
    """New field objects of all parts, by name."""
    return {name: field for part in PARTS.values() for name, field in part.fields().items()}


def _amount_field() -> Fields:
    return {"amount_collected": serializers.IntegerField(min_value=0, max_value=MAX_MONEY, required=False)}


def _set_amount(order: Order, values: PartValues) -> None:
    """Sets the amount collected, in NT$. If it is missing, the column stays unchanged."""
    if values.get("amount_collected") is not None:
        order.amount_collected = values["amount_collected"]


def _take_from_stock(order: Order, items: Items, *_: object) -> None:
    """Subtracts the delivered cylinders from the stock.

    Locks the products by ascending id (the order of `items`), so that two deliveries cannot deadlock.
    """
    for item in items:
        Product.add_stock(item.product_id, -(item.quantity_delivered or 0))


def _return_to_stock(order: Order, items: Items) -> None:
    for item in items:
        Product.add_stock(item.product_id, item.quantity_delivered or 0)


register(DeliveryPart(name="payment", fields=_amount_field, check=_set_amount))
register(DeliveryPart(name="stock", deliver=_take_from_stock, take_back=_return_to_stock))
