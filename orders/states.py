"""The state machine of orders: the allowed moves, who may make them, and whether they need a reason.

The model, REST, sockets, pages and tests all read this table. A move that is not in it is refused, except that the
office may give an assigned order to another driver (`Order.move`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from django.db.models import TextChoices
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from accounts.roles import Side
from web.refusals import Refusal


class OrderStatus(TextChoices):
    PENDING = "pending", _("Pending")
    CONFIRMED = "confirmed", _("Confirmed")
    ASSIGNED = "assigned", _("Assigned")
    DELIVERING = "delivering", _("Out for delivery")
    ARRIVING = "arriving", _("Arriving")
    DELIVERED = "delivered", _("Delivered")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")


# The text about each status that customers read on an order's page.
SENTENCES: dict[str, Promise | str] = {
    OrderStatus.PENDING: _("We have received your order and will confirm it soon."),
    OrderStatus.CONFIRMED: _("Your order is confirmed."),
    OrderStatus.ASSIGNED: _("A driver has been assigned to your order."),
    OrderStatus.DELIVERING: _("The driver is on the way."),
    OrderStatus.ARRIVING: _("The driver will arrive in a few minutes."),
    OrderStatus.DELIVERED: _("Your order was delivered. Thank you!"),
    OrderStatus.FAILED: _("We could not deliver. We will call you to agree on a new time."),
    OrderStatus.CANCELLED: _("Your order was cancelled."),
}

OPEN = frozenset(OrderStatus) - {OrderStatus.DELIVERED, OrderStatus.CANCELLED}
ON_THE_ROAD = frozenset({OrderStatus.DELIVERING, OrderStatus.ARRIVING})
# Statuses of an order that is promised to the customer and not on the road yet. The office may assign it to a driver.
PROMISED = frozenset({OrderStatus.CONFIRMED, OrderStatus.ASSIGNED})


@dataclass(frozen=True, slots=True)
class Move:
    """One row of the table: who may make the move, whether it needs a reason, and an additional permission."""

    roles: frozenset[Side]
    needs_reason: bool = False
    right: str = ""


_OFFICE = Move(frozenset({Side.OFFICE}))
_OFFICE_WITH_REASON = Move(frozenset({Side.OFFICE}), needs_reason=True)
_CORRECTION = Move(frozenset({Side.OFFICE}), needs_reason=True, right="orders.correct_order")
_OFFICE_OR_DRIVER = Move(frozenset({Side.OFFICE, Side.DRIVER}))
_FAIL = Move(frozenset({Side.OFFICE, Side.DRIVER}), needs_reason=True)
_CANCEL = Move(frozenset({Side.OFFICE, Side.CUSTOMER}), needs_reason=True)

MOVES: dict[tuple[OrderStatus, OrderStatus], Move] = {
    (OrderStatus.PENDING, OrderStatus.CONFIRMED): _OFFICE,
    (OrderStatus.PENDING, OrderStatus.CANCELLED): _CANCEL,
    (OrderStatus.CONFIRMED, OrderStatus.ASSIGNED): _OFFICE,
    (OrderStatus.CONFIRMED, OrderStatus.CANCELLED): _CANCEL,
    (OrderStatus.ASSIGNED, OrderStatus.CONFIRMED): _OFFICE,  # taken back from the driver
    (OrderStatus.ASSIGNED, OrderStatus.DELIVERING): _OFFICE_OR_DRIVER,
    (OrderStatus.ASSIGNED, OrderStatus.CANCELLED): _CANCEL,
    (OrderStatus.DELIVERING, OrderStatus.ARRIVING): _OFFICE_OR_DRIVER,
    (OrderStatus.DELIVERING, OrderStatus.ASSIGNED): _OFFICE_OR_DRIVER,  # has not left yet
    (OrderStatus.DELIVERING, OrderStatus.FAILED): _FAIL,
    (OrderStatus.DELIVERING, OrderStatus.CANCELLED): _OFFICE_WITH_REASON,
    (OrderStatus.ARRIVING, OrderStatus.DELIVERED): _OFFICE_OR_DRIVER,
    (OrderStatus.ARRIVING, OrderStatus.DELIVERING): _OFFICE_OR_DRIVER,  # the driver left without delivering
    (OrderStatus.ARRIVING, OrderStatus.FAILED): _FAIL,
    (OrderStatus.ARRIVING, OrderStatus.CANCELLED): _OFFICE_WITH_REASON,
    (OrderStatus.FAILED, OrderStatus.CONFIRMED): _OFFICE,  # the next attempt
    (OrderStatus.FAILED, OrderStatus.CANCELLED): _OFFICE_WITH_REASON,
    # Corrects an order that was reported as delivered by mistake. Its cylinders return to the stock.
    (OrderStatus.DELIVERED, OrderStatus.CANCELLED): _CORRECTION,
}


def check_move(before: str, to: str, roles: Collection[Side], reason: str) -> None:
    """Raises a Refusal unless `roles` may move an order from `before` to `to` with this `reason`.

    Does not check the additional permission: `orders.permissions.check_correcting` does.
    """
    move = MOVES.get((OrderStatus(before), OrderStatus(to)))
    if move is None:
        detail = _("An order that is “%(before)s” cannot become “%(to)s”.")
        labels = {"before": OrderStatus(before).label, "to": OrderStatus(to).label}
        raise Refusal("invalid_transition", detail % labels, attr="status", status=409)
    if not move.roles.intersection(roles):
        raise Refusal(
            "forbidden",
            _("You may not make this change to the order. Please ask the office."),
            attr="status",
            status=403,
        )
    if move.needs_reason and not reason.strip():
        raise Refusal("reason_required", _("Please give a reason."), attr="reason")


def moves_from(status: str, roles: Collection[Side]) -> Iterator[OrderStatus]:
    """The statuses to which `roles` may move an order in `status`, also those that need an additional permission."""
    return (to for (before, to), move in MOVES.items() if before == status and move.roles.intersection(roles))


def sentence(status: str, language: str) -> str:
    with override(language):
        return str(SENTENCES[status])
