"""Orders, their items and history, and proofs of delivery."""

from __future__ import annotations

from orders.models.item import OrderItem
from orders.models.order import Change, Order, OrderStatusChange, Priority, TimeSlot
from orders.models.proof import ConfirmationType, DeliveryConfirmation, ProofImage, ProofImageKind

__all__ = [
    "Change", "ConfirmationType", "DeliveryConfirmation",
    "Order", "OrderItem", "OrderStatusChange", "Priority", "ProofImage",
    "ProofImageKind", "TimeSlot",
]  # fmt: skip
