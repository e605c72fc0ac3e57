"""The business: who orders, what, from whom it comes, and how it got there."""

from __future__ import annotations

from orders.models.item import OrderItem
from orders.models.order import Change, Order, OrderStatusChange, Priority, TimeSlot
from orders.models.proof import ConfirmationType, DeliveryConfirmation, ProofImage, ProofImageKind

__all__ = [
    "Change", "ConfirmationType", "DeliveryConfirmation",
    "Order", "OrderItem", "OrderStatusChange", "Priority", "ProofImage",
    "ProofImageKind", "TimeSlot",
]  # fmt: skip
