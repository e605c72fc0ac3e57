"""What belongs to a delivery besides the move itself: each app registers its part.

The API, sockets and the schema read the fields of all parts; the move checks and writes them in its transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rest_framework import serializers

from catalogue.models import Product
from web.limits import MOST_MONEY

if TYPE_CHECKING:
    from orders.models import Order, OrderItem

Fields = Mapping[str, serializers.Field[Any, Any, Any, Any]]
# The items of the order by their products' ids, with what was delivered of each.
Items = Sequence["OrderItem"]
# What was said of the delivery: values of the parts' fields, by name.
Said = Mapping[str, Any]


def nothing(*args: object) -> None:
    """A part that has nothing to do at this step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPart:
    """One part, by a stable name.

    `fields` makes the fields of `confirm-delivery` and of the socket's `delivery.confirmed`. `check` raises Refusal; it
    may set columns of the order and writes nothing. `deliver` writes after the order is saved; `take_back` writes when
    a delivery turns out to have been none.
    """

    name: str
    fields: Callable[[], Fields] = dict
    check: Callable[[Order, Said], None] = nothing
    deliver: Callable[[Order, Items, Said, datetime], None] = nothing
    take_back: Callable[[Order, Items], None] = nothing


# By name; they work in this order.
PARTS: dict[str, DeliveryPart] = {}


def register(part: DeliveryPart) -> None:
    """Call it in `AppConfig.ready()`."""
    PARTS[part.name] = part


def fields() -> Fields:
    """The fields of all parts, made anew."""
    return {name: field for part in PARTS.values() for name, field in part.fields().items()}


def _amount_field() -> Fields:
    return {"amount_collected": serializers.IntegerField(min_value=0, max_value=MOST_MONEY, required=False)}


def _note_amount(order: Order, said: Said) -> None:
    """NT$; what is not said stays as it was."""
    if said.get("amount_collected") is not None:
        order.amount_collected = said["amount_collected"]


def _take_from_stock(order: Order, items: Items, *_said: object) -> None:
    """Products are locked in one order, so that two deliveries do not wait for each other."""
    for item in items:
        Product.add_stock(item.product_id, -(item.quantity_delivered or 0))


def _bring_back(order: Order, items: Items) -> None:
    for item in items:
        Product.add_stock(item.product_id, item.quantity_delivered or 0)


register(DeliveryPart(name="payment", fields=_amount_field, check=_note_amount))
register(DeliveryPart(name="stock", deliver=_take_from_stock, take_back=_bring_back))
