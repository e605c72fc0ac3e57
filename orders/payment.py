"""What the driver collects at the door: a part of the delivery."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework import serializers

from orders.delivery_parts import DeliveryPart, Said
from web.money import MOST_MONEY

if TYPE_CHECKING:
    from orders.delivery_parts import Fields
    from orders.models import Order


def fields() -> Fields:
    return {"amount_collected": serializers.IntegerField(min_value=0, max_value=MOST_MONEY, required=False)}


def note(order: Order, said: Said) -> None:
    """NT$; what is not said stays as it was."""
    if said.get("amount_collected") is not None:
        order.amount_collected = said["amount_collected"]


PAYMENT = DeliveryPart(name="payment", fields=fields, check=note)
