"""What the customer is told of, and when."""

from __future__ import annotations

from typing import Any

from notifications import queue
from notifications.models import GatewayState, NotificationHistory
from notifications.states import Kind
from orders.models import Order
from orders.states import Status

KIND_OF = {
    Status.CONFIRMED: Kind.ORDER_CONFIRMED,
    Status.ARRIVING: Kind.DRIVER_ARRIVING,
    Status.DELIVERED: Kind.ORDER_DELIVERED,
}


def order_saved(instance: Order, **kwargs: Any) -> None:
    """Tells the customer when the order came to one of these statuses; a new order is pending and tells nobody."""
    if "status" in instance.before and (kind := KIND_OF.get(Status(instance.status))):
        queue.put(instance, kind)


def gateway_saved(instance: GatewayState, update_fields: Any, **kwargs: Any) -> None:
    """What waited for a gateway that was stopped goes out when it is started again."""
    if update_fields and "stopped_at" in update_fields and instance.stopped_at is None:
        for pk in NotificationHistory.objects.due().order_by("created_at").values_list("pk", flat=True):
            queue.hand_over(pk)
