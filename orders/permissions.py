"""On which side of an order somebody stands, and who may see and change which orders."""

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
from orders.states import MOVES, OPEN, Status
from web.refusals import Refusal
from web.text import visible

if TYPE_CHECKING:
    from orders.models import Order

# How long the link in an SMS works after the delivery (or the end) of its order.
LINK_LIFE = timedelta(hours=24)

ADD_ORDER, CHANGE_ORDER, ADD_CUSTOMER = "orders.add_order", "orders.change_order", "customers.add_customer"
MOVE_ORDER, DELIVER_ORDER = "orders.move_order", "orders.deliver_order"


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
    if not may_correct(user, before, to):
        raise refused(MOVES[Status(before), Status(to)].right, "status")


def only_office_says(forbidden: Collection[str]) -> None:
    """Raises a Refusal where somebody else names one of these fields."""
    if forbidden:
        raise Refusal("forbidden", _("Only the office may set this."), attr=min(forbidden), status=403)


def own_orders(user: Anyone) -> Q:
    """Rule of `accounts.visibility`: a driver and a customer see their own."""
    match side_of(user):
        case Side.DRIVER:
            return Q(driver=driver_id(user))
        case Side.CUSTOMER:
            return Q(customer=customer_id(user))
    return visibility.NONE


def readable_numbers(user: Anyone) -> Q:
    """Of which orders among the visible ones the user may know the customer's telephone number."""
    match side_of(user):
        case Side.OFFICE:
            return Q()
        case Side.DRIVER:
            return Q(status__in=OPEN)
    return visibility.NONE


def linked_orders(token: str, orders: QuerySet[Order]) -> QuerySet[Order]:
    """The one of `orders` whose link, sent by SMS, has this token, until LINK_LIFE after its end."""
    ended_lately = Q(moved__gte=timezone.now() - LINK_LIFE)
    # NUL is no text to PostgreSQL, and in no token.
    linked = orders.filter(tracking_token=visible(token).replace("\0", "?")).annotate(moved=Max("history__recorded_at"))
    return linked.filter(Q(status__in=OPEN) | ended_lately)


def customers_of_driver(user: Anyone) -> Q:
    """Rule of `accounts.visibility`: a driver sees those to whom an open order of theirs goes."""
    if side_of(user) is not Side.DRIVER:
        return visibility.NONE
    theirs = Customer.objects.filter(orders__driver=driver_id(user), orders__status__in=OPEN)
    return Q(pk__in=theirs.order_by().values("pk"))


# What a customer may say of an own order; the rest is the office's.
PLACED = frozenset({"items", "scheduled_date", "time_slot", "delivery_address", "notes", "ref"})
CHANGED = frozenset({"items", "scheduled_date", "time_slot", "notes", "version"})


def check_placing(user: Anyone, fields: Collection[str]) -> None:
    """Raises a Refusal unless the user, who may place orders, may say `fields` of them."""
    if not may(user, ADD_ORDER):
        only_office_says(set(fields) - PLACED)
    elif "new_customer" in fields:
        check_right(user, ADD_CUSTOMER, "new_customer")


def check_change(user: Anyone, order: Order, fields: Collection[str]) -> None:
    """Raises a Refusal unless the user may change `fields` of the order: a customer only before it is confirmed."""
    held = sides_towards(user, order)
    if Side.OFFICE in held:
        return
    if Side.CUSTOMER not in held:
        raise Refusal("forbidden", _("You may not make this change to the order. Please ask the office."), status=403)
    if order.status != Status.PENDING:
        raise Refusal("forbidden", _("The order is already confirmed. Please call us to change it."), status=403)
    only_office_says(set(fields) - CHANGED)
