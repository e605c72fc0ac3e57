"""The life of an order: which status may follow which, who may move it, and whether a reason is needed.

The one table that the model, REST, sockets, pages and tests read. A move that is not in it is refused.
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


class Status(TextChoices):
    PENDING = "pending", _("Pending")
    CONFIRMED = "confirmed", _("Confirmed")
    ASSIGNED = "assigned", _("Assigned")
    DELIVERING = "delivering", _("Out for delivery")
    ARRIVING = "arriving", _("Arriving")
    DELIVERED = "delivered", _("Delivered")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")


# What a customer reads on the screen of an order.
SENTENCES: dict[str, Promise | str] = {
    Status.PENDING: _("We have received your order and will confirm it soon."),
    Status.CONFIRMED: _("Your order is confirmed."),
    Status.ASSIGNED: _("A driver has been assigned to your order."),
    Status.DELIVERING: _("The driver is on the way."),
    Status.ARRIVING: _("The driver will arrive in a few minutes."),
    Status.DELIVERED: _("Your order was delivered. Thank you!"),
    Status.FAILED: _("We could not deliver. We will call you to agree on a new time."),
    Status.CANCELLED: _("Your order was cancelled."),
}

OPEN = frozenset(Status) - {Status.DELIVERED, Status.CANCELLED}
ON_THE_ROAD = frozenset({Status.DELIVERING, Status.ARRIVING})
# Promised to the customer, and not on the road yet: the office may give it to a driver.
PROMISED = frozenset({Status.CONFIRMED, Status.ASSIGNED})


@dataclass(frozen=True, slots=True)
class Move:
    """One row of the table: who may make the move, whether they must say why, and a right they need besides."""

    roles: frozenset[Side]
    needs_reason: bool = False
    right: str = ""


_OFFICE = Move(frozenset({Side.OFFICE}))
_OFFICE_WITH_REASON = Move(frozenset({Side.OFFICE}), needs_reason=True)
_CORRECTION = Move(frozenset({Side.OFFICE}), needs_reason=True, right="orders.correct_order")
_ON_THE_ROAD = Move(frozenset({Side.OFFICE, Side.DRIVER}))
_GAVE_UP = Move(frozenset({Side.OFFICE, Side.DRIVER}), needs_reason=True)
_CALLED_OFF = Move(frozenset({Side.OFFICE, Side.CUSTOMER}), needs_reason=True)

MOVES: dict[tuple[Status, Status], Move] = {
    (Status.PENDING, Status.CONFIRMED): _OFFICE,
    (Status.PENDING, Status.CANCELLED): _CALLED_OFF,
    (Status.CONFIRMED, Status.ASSIGNED): _OFFICE,
    (Status.CONFIRMED, Status.CANCELLED): _CALLED_OFF,
    (Status.ASSIGNED, Status.CONFIRMED): _OFFICE,  # taken from the driver again
    (Status.ASSIGNED, Status.DELIVERING): _ON_THE_ROAD,
    (Status.ASSIGNED, Status.CANCELLED): _CALLED_OFF,
    (Status.DELIVERING, Status.ARRIVING): _ON_THE_ROAD,
    (Status.DELIVERING, Status.ASSIGNED): _ON_THE_ROAD,
    (Status.DELIVERING, Status.FAILED): _GAVE_UP,
    (Status.DELIVERING, Status.CANCELLED): _OFFICE_WITH_REASON,
    (Status.ARRIVING, Status.DELIVERED): _ON_THE_ROAD,
    (Status.ARRIVING, Status.DELIVERING): _ON_THE_ROAD,  # turned away
    (Status.ARRIVING, Status.FAILED): _GAVE_UP,
    (Status.ARRIVING, Status.CANCELLED): _OFFICE_WITH_REASON,
    (Status.FAILED, Status.CONFIRMED): _OFFICE,  # the next attempt
    (Status.FAILED, Status.CANCELLED): _OFFICE_WITH_REASON,
    (Status.DELIVERED, Status.CANCELLED): _CORRECTION,  # a delivery that was none: the stock comes back
}


def check(before: str, to: str, roles: Collection[Side], reason: str) -> None:
    """Raises a Refusal unless someone in one of `roles` may move an order from `before` to `to`, for `reason`."""
    move = MOVES.get((Status(before), Status(to)))
    if move is None:
        detail = _("An order that is “%(before)s” cannot become “%(to)s”.")
        words = {"before": Status(before).label, "to": Status(to).label}
        raise Refusal("invalid_transition", detail % words, attr="status", status=409)
    if not move.roles.intersection(roles):
        raise Refusal(
            "forbidden",
            _("You may not make this change to the order. Please ask the office."),
            attr="status",
            status=403,
        )
    if move.needs_reason and not reason.strip():
        raise Refusal("reason_required", _("Please give the reason."), attr="reason")


def moves_from(status: str, roles: Collection[Side]) -> Iterator[Status]:
    """The statuses an order in `status` may take next, for someone in one of `roles`."""
    return (to for (before, to), move in MOVES.items() if before == status and move.roles.intersection(roles))


def sentence(status: str, language: str) -> str:
    with override(language):
        return str(SENTENCES[status])
