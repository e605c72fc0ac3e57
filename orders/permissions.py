"""The side (office, driver, customer) from which a user acts on an order, and who may see and change which orders."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db.models import Max, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import visibility
from accounts.roles import Anyone, Side, check_right, customer_id, driver_id, is_office, may, refused, side_of
from customers.models import Customer
from dispatch.models import Driver
from orders.states import MOVES, OPEN, OrderStatus
from web.refusals import Refusal
from web.text import visible

if TYPE_CHECKING:
    from orders.models import Order

# The link in an SMS expires this long after its order was delivered or cancelled.
LINK_LIFE = timedelta(hours=24)

ADD_ORDER, CHANGE_ORDER, ADD_CUSTOMER = "orders.add_order", "orders.change_order", "customers.add_customer"
MOVE_ORDER, DELIVER_ORDER = "orders.move_order", "orders.deliver_order"


def sides_towards(user: Anyone | None, order: Order) -> frozenset[Side]:
    """The sides from which a user may act on this order. The system (`None`: commands, import) acts as office.

    The office may make every move that others may (a test checks `states.MOVES`), so it needs no other side.
    """
    if user is None or is_office(user):
        return frozenset({Side.OFFICE})
    # Comparing with the order's driver and customer saves two queries for the user's own records.
    own = {
        Side.DRIVER: user.is_active and order.driver is not None and _is(order.driver, user),
        Side.CUSTOMER: user.is_active and _is(order.customer, user),
    }
    return frozenset(role for role, is_own in own.items() if is_own)


def _is(person: Driver | Customer, user: Anyone) -> bool:
    return person.is_active and person.user_id is not None and person.user_id == user.pk


def may_correct(user: Anyone | None, before: str, to: str) -> bool:
    """Whether the user has the additional permission of this move, if it needs one. The system (`None`) has all."""
    move = MOVES.get((OrderStatus(before), OrderStatus(to)))
    return user is None or move is None or not move.right or may(user, move.right)


def check_correcting(user: Anyone | None, before: str, to: str) -> None:
    """Raises a Refusal unless `may_correct`."""
    if not may_correct(user, before, to):
        raise refused(MOVES[OrderStatus(before), OrderStatus(to)].right, "status")


def check_office_only(forbidden: Collection[str]) -> None:
    """Raises a Refusal if a caller who is not office sets any of these fields."""
    if forbidden:
        raise Refusal("forbidden", _("Only the office may set this field."), attr=min(forbidden), status=403)


def own_orders(user: Anyone) -> Q:
    """Rule of `accounts.visibility`: drivers and customers see their own orders."""
    match side_of(user):
        case Side.DRIVER:
            return Q(driver=driver_id(user))
        case Side.CUSTOMER:
            return Q(customer=customer_id(user))
    return visibility.NO_ROWS


def readable_numbers(user: Anyone) -> Q:
    """Selects the visible orders of which the user may read the customer's telephone number."""
    match side_of(user):
        case Side.OFFICE:
            return Q()
        case Side.DRIVER:
            return Q(status__in=OPEN)
    return visibility.NO_ROWS


def linked_orders(token: str, orders: QuerySet[Order]) -> QuerySet[Order]:
    """Selects the order whose SMS link has this token, unless the link has expired (LINK_LIFE)."""
    ended_lately = Q(moved__gte=timezone.now() - LINK_LIFE)
    # PostgreSQL rejects NUL in text, and no token contains "?".
    linked = orders.filter(tracking_token=visible(token).replace("\0", "?")).annotate(moved=Max("history__recorded_at"))
    return linked.filter(Q(status__in=OPEN) | ended_lately)


def customers_of_driver(user: Anyone) -> Q:
    """Rule of `accounts.visibility`: a driver sees the customers of their open orders."""
    if side_of(user) is not Side.DRIVER:
        return visibility.NO_ROWS
    theirs = Customer.objects.filter(orders__driver=driver_id(user), orders__status__in=OPEN)
    return Q(pk__in=theirs.order_by().values("pk"))


# Fields that customers may set when they place an order, and change before it is confirmed.
PLACED = frozenset({"items", "scheduled_date", "time_slot", "delivery_address", "notes", "ref"})
CHANGED = frozenset({"items", "scheduled_date", "time_slot", "notes", "version"})


def check_placing(user: Anyone, fields: Collection[str]) -> None:
    """Raises a Refusal unless a user who may place orders may set `fields`."""
    if not may(user, ADD_ORDER):
        check_office_only(set(fields) - PLACED)
    elif "new_customer" in fields:
        check_right(user, ADD_CUSTOMER, "new_customer")


def check_change(user: Anyone, order: Order, fields: Collection[str]) -> None:
    """Raises a Refusal unless the user may change `fields` of the order. Customers may until it is confirmed."""
    sides = sides_towards(user, order)
    if Side.OFFICE in sides:
        return
    if Side.CUSTOMER not in sides:
        raise Refusal("forbidden", _("You may not make this change to the order. Please ask the office."), status=403)
    if order.status != OrderStatus.PENDING:
        raise Refusal("forbidden", _("The order is already confirmed. Please call us to change it."), status=403)
    check_office_only(set(fields) - CHANGED)
