"""The side (office, driver, customer) from which a user acts on an order, and who may see and change which orders."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db.models import Max, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import visibility
from accounts.roles import Anyone, Side, check_right, customer_id, driver_id, is_office, may, refusal_for, side_of
from customers.models import Customer
from dispatch.models import Driver
from orders.states import MOVES, OPEN, OrderStatus
from web.refusals import Refusal
from web.text import remove_invisible

if TYPE_CHECKING:
    from orders.models import Order

# The link in an SMS expires this long after its order was delivered or cancelled.
LINK_LIFE = timedelta(hours=24)

ADD_ORDER, CHANGE_ORDER, ADD_CUSTOMER = "orders.add_order", "orders.change_order", "customers.add_customer"
MOVE_ORDER, DELIVER_ORDER = "orders.move_order", "orders.deliver_order"


def sides_towards(user: Anyone | None, order: Order) -> frozenset[Side]:
    """The sides from which a user may act on this order. The system (`None`: commands, import) acts as the office.

    A user of the office has only that side, even as the driver or customer of the order: the office may make every
    move that others may (a test checks `states.MOVES`).
    """
    if user is None or is_office(user):
        return frozenset({Side.OFFICE})
    # Comparing the account of the order's driver and customer saves two queries for the user's own records.
    own = {
        Side.DRIVER: user.is_active and order.driver is not None and _has_account(order.driver, user),
        Side.CUSTOMER: user.is_active and _has_account(order.customer, user),
    }
    return frozenset(role for role, is_own in own.items() if is_own)


def _has_account(person: Driver | Customer, user: Anyone) -> bool:
    return person.is_active and person.user_id is not None and person.user_id == user.pk


def may_correct(user: Anyone | None, before: str, to: str) -> bool:
    """Whether the user has the additional permission that this move needs; True if it needs none or is no move.

    The system (`None`) has every permission.
    """
    move = MOVES.get((OrderStatus(before), OrderStatus(to)))
    return user is None or move is None or not move.right or may(user, move.right)


def check_correcting(user: Anyone | None, before: str, to: str) -> None:
    """Raises a Refusal unless `may_correct` returns True."""
    if not may_correct(user, before, to):
        raise refusal_for(MOVES[OrderStatus(before), OrderStatus(to)].right, "status")


def check_office_only(forbidden: Collection[str]) -> None:
    """Raises a Refusal if there are `forbidden` fields: those that the office may set and the caller may not."""
    if forbidden:
        raise Refusal(
            "forbidden", _("You may not set this field. Please ask the office."), attr=min(forbidden), status=403
        )


def own_orders(user: Anyone) -> Q:
    """Rule of `accounts.visibility`: drivers and customers see their own orders."""
    match side_of(user):
        case Side.DRIVER:
            return Q(driver=driver_id(user))
        case Side.CUSTOMER:
            return Q(customer=customer_id(user))
    return visibility.NO_ROWS


def orders_with_readable_phone(user: Anyone) -> Q:
    """The condition for orders whose customer's telephone number the user may read.

    Apply it only to orders that the user may see: it does not check that.
    """
    match side_of(user):
        case Side.OFFICE:
            return Q()
        case Side.DRIVER:
            return Q(status__in=OPEN)
    return visibility.NO_ROWS


def linked_orders(token: str, orders: QuerySet[Order]) -> QuerySet[Order]:
    """The order whose SMS link has this token; no row if the link has expired (LINK_LIFE)."""
    moved_lately = Q(moved__gte=timezone.now() - LINK_LIFE)
    # PostgreSQL rejects NUL in text, and no token contains "?".
    linked = orders.filter(tracking_token=remove_invisible(token).replace("\0", "?")).annotate(
        moved=Max("history__recorded_at")
    )
    return linked.filter(Q(status__in=OPEN) | moved_lately)


def customers_of_driver(user: Anyone) -> Q:
    """Rule of `accounts.visibility`: a driver sees the customers of their open orders."""
    if side_of(user) is not Side.DRIVER:
        return visibility.NO_ROWS
    theirs = Customer.objects.filter(orders__driver=driver_id(user), orders__status__in=OPEN)
    return Q(pk__in=theirs.order_by().values("pk"))


# Fields that customers may set when they place an order, and fields that they may change until it is confirmed.
PLACING_FIELDS = frozenset({"items", "scheduled_date", "time_slot", "delivery_address", "notes", "ref"})
CHANGE_FIELDS = frozenset({"items", "scheduled_date", "time_slot", "notes", "version"})


def check_placing(user: Anyone, fields: Collection[str]) -> None:
    """Raises a Refusal if the user may not set one of these fields of a new order.

    The view has already checked that the user may place orders.
    """
    if not may(user, ADD_ORDER):
        check_office_only(set(fields) - PLACING_FIELDS)
    elif "new_customer" in fields:
        check_right(user, ADD_CUSTOMER, "new_customer")


def check_change(user: Anyone, order: Order, fields: Collection[str]) -> None:
    """Raises a Refusal unless the user may change these fields of the order.

    The office may change all fields, the order's customer CHANGE_FIELDS until the order is confirmed.
    """
    sides = sides_towards(user, order)
    if Side.OFFICE in sides:
        return
    if Side.CUSTOMER not in sides:
        raise Refusal("forbidden", _("You may not make this change to the order. Please ask the office."), status=403)
    if order.status != OrderStatus.PENDING:
        raise Refusal("forbidden", _("You can change an order only until we confirm it. Please call us."), status=403)
    check_office_only(set(fields) - CHANGE_FIELDS)
