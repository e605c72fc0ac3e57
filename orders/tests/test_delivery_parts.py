from __future__ import annotations

from typing import Any

import pytest
from rest_framework import serializers

from orders import delivery_parts
from orders.api.order_input import ConfirmationInput
from orders.delivery_parts import DeliveryPart, PartValues
from orders.models import Order
from orders.models.order import Proof
from orders.states import OrderStatus
from orders.tests.factories import make_order
from web.refusals import Refusal

pytestmark = pytest.mark.django_db


class Empties:
    """A part that another app could register: the number of empty cylinders that the customer returned."""

    def __init__(self) -> None:
        self.written: list[tuple[str, Any]] = []

    def check(self, order: Order, values: PartValues) -> None:
        if values.get("empties", 0) > 9:
            raise Refusal("too_many_empties", "Too many.", attr="empties")

    def deliver(self, order: Order, items: Any, values: PartValues, at: Any) -> None:
        self.written.append((order.status, values.get("empties")))

    def take_back(self, order: Order, items: Any) -> None:
        self.written.append((order.status, None))


@pytest.fixture
def empties(monkeypatch: pytest.MonkeyPatch) -> Empties:
    monkeypatch.setattr(delivery_parts, "PARTS", dict(delivery_parts.PARTS))
    part = Empties()
    delivery_parts.register(
        DeliveryPart(
            name="empties",
            fields=lambda: {"empties": serializers.IntegerField(min_value=0, required=False)},
            check=part.check,
            deliver=part.deliver,
            take_back=part.take_back,
        )
    )
    return part


def test_registered_part_adds_field_to_confirmation(empties: Empties) -> None:
    form = ConfirmationInput(data={"confirmation_type": "manual", "empties": 2, "amount_collected": 640})
    assert form.is_valid()
    assert form.proof().parts == {"empties": 2, "amount_collected": 640}
    assert not ConfirmationInput(data={"confirmation_type": "manual", "empties": -1}).is_valid()


def test_registered_part_writes_on_delivery_and_on_cancellation(empties: Empties) -> None:
    order = make_order(OrderStatus.ARRIVING)
    order.transition_to(OrderStatus.DELIVERED, proof=Proof(parts={"empties": 2}))
    order.transition_to(OrderStatus.CANCELLED, reason="測試")
    assert empties.written == [("delivered", 2), ("cancelled", None)]


def test_refusing_part_leaves_order_unchanged(empties: Empties) -> None:
    order = make_order(OrderStatus.ARRIVING)
    with pytest.raises(Refusal, match="Too many"):
        order.transition_to(OrderStatus.DELIVERED, proof=Proof(parts={"empties": 10}))
    assert Order.objects.get().status == OrderStatus.ARRIVING
    assert empties.written == []
