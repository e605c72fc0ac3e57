"""Who may see and change which orders: the one place that REST, pages and sockets ask."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db.models import Max, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import visibility
from accounts.roles import Side, check_right, customer_id, driver_id, may, side_of
from orders.models import Order
from orders.sides import only_office_says, sides_towards
from orders.states import OPEN, Status
from web.refusals import Refusal
from web.text import visible

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from accounts.roles import Anyone

# How long the link in an SMS works after the delivery (or the end) of its order.
LINK_LIFE = timedelta(hours=24)


ADD_ORDER, CHANGE_ORDER, ADD_CUSTOMER = "orders.add_order", "orders.change_order", "customers.add_customer"
MOVE_ORDER, DELIVER_ORDER = "orders.move_order", "orders.deliver_order"


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
    return Q(pk__in=[])


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
    return Q(pk__in=Order.objects.filter(driver=driver_id(user), status__in=OPEN).values("customer"))


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
        raise Refusal("forbidden", _("You may not make this change to the order."), status=403)
    if order.status != Status.PENDING:
        raise Refusal("forbidden", _("The order is already confirmed: please call us to change it."), status=403)
    only_office_says(set(fields) - CHANGED)
