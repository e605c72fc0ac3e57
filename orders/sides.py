"""On which side of an order somebody stands."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from accounts.roles import Side, check_right, is_office, may
from orders.states import MOVES, Status
from web.refusals import Refusal

if TYPE_CHECKING:
    from accounts.roles import Anyone
    from customers.models import Customer
    from dispatch.models import Driver
    from orders.models import Order


def sides_towards(user: Anyone | None, order: Order) -> frozenset[Side]:
    """The roles in which a user may act on this order. The system itself (`None`: commands, import) acts as office.

    The office may do what any other may (a test holds `states.MOVES` to that), so of it nothing else is asked.
    """
    if user is None or is_office(user):
        return frozenset({Side.OFFICE})
    # By the order's own people, and not by two queries of the user's.
    own = {
        Side.DRIVER: user.is_active and order.driver is not None and _is(order.driver, user),
        Side.CUSTOMER: user.is_active and _is(order.customer, user),
    }
    return frozenset(role for role, is_own in own.items() if is_own)


def _is(person: Driver | Customer, user: Anyone) -> bool:
    return person.is_active and person.user_id is not None and person.user_id == user.pk


def may_correct(user: Anyone | None, before: str, to: str) -> bool:
    """Whether the user has the right that this move needs besides, if it needs one. The system itself has it."""
    move = MOVES.get((Status(before), Status(to)))
    return user is None or move is None or not move.right or may(user, move.right)


def check_correcting(user: Anyone | None, before: str, to: str) -> None:
    """Raises a Refusal that says who may."""
    move = MOVES.get((Status(before), Status(to)))
    if user is not None and move is not None and move.right:
        check_right(user, move.right, "status")


def check_naming_driver(held: Collection[Side]) -> None:
    """Raises a Refusal unless someone in one of these roles may say who drives an order."""
    if Side.OFFICE not in held:
        only_office_says({"driver"})


def only_office_says(forbidden: Collection[str]) -> None:
    """Raises a Refusal where somebody else names one of these fields."""
    if forbidden:
        raise Refusal("forbidden", _("Only the office may say this."), attr=min(forbidden), status=403)
