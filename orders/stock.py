"""What leaves the stock with a delivery, and comes back where there was none: a part of the delivery."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from catalogue.models import Product
from orders.delivery_parts import DeliveryPart, Said

if TYPE_CHECKING:
    from orders.models import Order


def take(order: Order, said: Said, at: datetime) -> None:
    """Products are locked in one order, so that two deliveries do not wait for each other."""
    for item in order.items.order_by("product_id"):
        Product.add_stock(item.product_id, -(item.quantity_delivered or 0))


def bring_back(order: Order) -> None:
    for item in order.items.order_by("product_id"):
        Product.add_stock(item.product_id, item.quantity_delivered or 0)


STOCK = DeliveryPart(name="stock", deliver=take, take_back=bring_back)
