"""The business: who orders, what, from whom it comes, and how it got there."""

from __future__ import annotations

from orders.models.checked_sheet import CheckedSheet
from orders.models.driver import Driver, DriverLocation
from orders.models.item import OrderItem
from orders.models.order import Change, Order, Priority, TimeSlot
from orders.models.product import Product
from orders.models.proof import ConfirmationType, DeliveryConfirmation
from orders.models.proof_image import ProofImage, ProofImageKind
from orders.models.route import Route, RouteStatus
from orders.models.status_change import OrderStatusChange

__all__ = [
    "Change", "CheckedSheet", "ConfirmationType", "DeliveryConfirmation", "Driver",
    "DriverLocation", "Order", "OrderItem", "OrderStatusChange", "Priority", "Product", "ProofImage",
    "ProofImageKind", "Route", "RouteStatus", "TimeSlot",
]  # fmt: skip
