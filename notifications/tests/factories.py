"""Makes messages, and orders without messages, for tests."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from notifications.models import NotificationHistory
from notifications.states import MessageKind, MessageStatus
from orders.models import Order
from orders.states import OrderStatus
from orders.tests.factories import make_order


def make_quiet_order(status: str = OrderStatus.CONFIRMED, **fields: Any) -> Order:
    """Makes an order in `status` without messages."""
    with transaction.atomic():
        order = make_order(status, **fields)
        NotificationHistory.objects.filter(order=order).unannounced().delete()
    return order


def make_message(status: str = MessageStatus.PENDING, **fields: Any) -> NotificationHistory:
    """Makes a message, by default “order confirmed” for a new confirmed order.

    Unless it is pending, it was sent once: it has an attempt, a recipient and a text.
    """
    order = fields.pop("order", None) or make_quiet_order()
    sent = (
        {}
        if status == MessageStatus.PENDING
        else {"attempts": 1, "recipient": order.customer.phone, "content": "瓦斯", "segments": 1}
    )
    defaults = {"order": order, "customer": order.customer, "kind": MessageKind.ORDER_CONFIRMED, "status": status}
    return NotificationHistory.objects.create(**(defaults | sent | fields))
