"""Changes of orders beyond a single move: placing, editing, bulk changes and assigning a route."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from catalogue.models import Product
from customers.models import Customer
from dispatch.models import Driver, Route
from orders.models import Change, Order, OrderItem
from orders.models.item import OrderLine, amount, describe, new_items, replace_items
from orders.models.order import Command, VersionConflict, no_such_order
from orders.models.queries import OrderQuerySet
from orders.states import ON_THE_ROAD, OPEN, PROMISED, OrderStatus
from web import database
from web.actors import Actor
from web.limits import YEAR
from web.refusals import Refusal

# The columns that `change` can set.
COLUMNS = frozenset(
    {"customer", "scheduled_date", "time_slot", "eta", "delivery_address", "notes", "priority", "route",
     "stop_sequence"}
)  # fmt: skip
# Fields that may still change after an order is delivered or cancelled.
CHANGEABLE_WHEN_CLOSED = frozenset({"notes", "version"})


@dataclass
class BulkOutcome:
    """The result for many orders: ids of updated ones, and id, code and detail (for people) of each refused one."""

    updated: list[int] = field(default_factory=list)
    failed: list[dict[str, Any]] = field(default_factory=list)

    def fail(self, order_id: int, refusal: Refusal) -> None:
        self.failed.append({"id": order_id, "code": refusal.code, "detail": str(refusal.detail)})


def place(
    items: Sequence[OrderLine],
    actor: Actor,
    *,
    ref: str | None = None,
    new_customer: Mapping[str, Any] | None = None,
    **columns: Any,
) -> Order:
    """Places a pending order with its items, and creates `new_customer` if given, in one transaction.

    Idempotent by `ref`: if the same user repeats a ref, returns the order that the first call placed. Raises Refusal,
    also if the repeated call has other contents.
    """
    _check_date(columns["scheduled_date"])
    rows = new_items(items)
    key = f"ref:{actor.by.pk}:{ref}" if ref and actor.by else None
    try:
        with transaction.atomic():
            if new_customer is not None:
                columns["customer"] = Customer.objects.create(**new_customer)
            order = Order(**columns, amount_due=amount(rows), import_ref=key)
            order.save(change=Change(actor, items=describe(rows)))
            for item in rows:
                item.order = order
            OrderItem.objects.bulk_create(rows)
    except IntegrityError:
        # Only the unique column finds a concurrent request with the same ref. A query beforehand could miss it.
        if key and (placed := Order.objects.filter(import_ref=key).first()):
            return _check_repeated(placed, rows, columns, new_customer)
        raise
    return order


def _check_repeated(
    placed: Order, items: Sequence[OrderItem], columns: Mapping[str, Any], new_customer: Mapping[str, Any] | None
) -> Order:
    """Returns `placed`, the order of an earlier request with this `ref`.

    Raises Refusal if this request has other contents, which would otherwise be lost.
    """
    wanted = {(item.product_id, item.quantity) for item in items}
    is_same = wanted == set(placed.items.values_list("product", "quantity"))
    compared = columns if new_customer is None else {name: columns[name] for name in columns.keys() - {"customer"}}
    # Empty columns got default values when the order was saved.
    is_same &= all(getattr(placed, name) == value for name, value in compared.items() if value)
    is_same &= all(getattr(placed.customer, name) == value for name, value in (new_customer or {}).items() if value)
    if is_same:
        return placed
    detail = _("Order %s was already placed, but its contents are not the same. Please check that order.")
    raise Refusal("ref_reused", detail % placed, attr="ref", status=409)


def change(order: Order, changes: Mapping[str, Any], actor: Actor) -> None:
    """Applies `changes` to an order whose lock the caller holds: columns and `items` first, then `driver`.

    `driver` assigns or reassigns the order; None takes it back to the office. If `driver` is missing, a new route that
    has a driver assigns a confirmed or assigned order to that driver. `version`, if given, must be the current one.
    Raises Refusal; then the caller must roll back its transaction.
    """
    _check_changes(order, changes)
    for name in COLUMNS & changes.keys():
        setattr(order, name, changes[name])
    if order.route is None:
        order.stop_sequence = None
    circumstances = Change(actor)
    if "items" in changes:
        circumstances = replace_items(order, changes["items"], circumstances)
    order.save(change=circumstances)
    if "driver" in changes:
        _set_driver(order, changes["driver"], actor)
    elif (route := changes.get("route")) and route.driver and order.status in PROMISED:
        _set_driver(order, route.driver, actor)


def _check_changes(order: Order, changes: Mapping[str, Any]) -> None:
    if changes.get("version") not in (None, order.version):
        raise VersionConflict(order.version)
    if order.status not in OPEN and changes.keys() - CHANGEABLE_WHEN_CLOSED:
        detail = _("This order is closed (“%s”). Only its notes can be changed.") % order.get_status_display()
        raise Refusal("order_closed", detail, attr=min(changes.keys() - CHANGEABLE_WHEN_CLOSED), status=409)
    if changes.get("scheduled_date", order.scheduled_date) != order.scheduled_date:
        _check_date(changes["scheduled_date"])
    if changes.get("route"):
        _check_route(order, changes["route"], changes)
    if changes.get("stop_sequence") and changes.get("route", order.route) is None:
        raise Refusal("route_required", _("A stop number needs a route. Please choose a route."), attr="stop_sequence")


def _check_date(day: date) -> None:
    today = timezone.localdate()
    if day < today:
        raise Refusal(
            "date_passed", _("The delivery date is in the past. Please choose another."), attr="scheduled_date"
        )
    if day > today + YEAR:
        raise Refusal(
            "date_too_far",
            _("The delivery date is more than a year away. Please choose another."),
            attr="scheduled_date",
        )


def _check_route(order: Order, route: Route, changes: Mapping[str, Any]) -> None:
    """Raises Refusal if the route has another driver than the order will have."""
    driver = changes.get("driver")
    on_the_road = order.driver if order.status in ON_THE_ROAD and "driver" not in changes else None
    expected = driver or on_the_road
    if expected is not None and route.driver_id is not None and route.driver_id != expected.pk:
        detail = _("This route and this order have different drivers. Please choose another route or driver.")
        raise Refusal("route_of_other_driver", detail, attr="route", status=409)


def _set_driver(order: Order, driver: Driver | None, actor: Actor) -> None:
    if (driver.pk if driver else None) != order.driver_id:
        to = OrderStatus.ASSIGNED if driver else OrderStatus.CONFIRMED
        order.move(Command(to, by=actor.by, source=actor.source, driver=driver))


def bulk_update(
    ids: Sequence[int], changes: Mapping[str, Any], actor: Actor, versions: Mapping[int, int] | None = None
) -> BulkOutcome:
    """Applies `changes` in one transaction, in which each order succeeds or fails on its own.

    Applied in this order: scheduled_date, priority, route; `status` (with `reason`); `driver`, which is one move
    together with the status “assigned”. If one part is refused, the order stays unchanged. A repeated id counts once.
    `versions` maps ids to expected versions; an order with another version is refused.
    """
    outcome = BulkOutcome()
    # A savepoint costs two queries for each order. An order with only one change needs none: the change is refused
    # before anything is written.
    single = len(changes.keys() - {"reason"}) == 1 and "route" not in changes
    # The board calls this for a single card too. Its clerk should wait no longer than for any other command.
    wait = settings.DATABASE_LOCK_SECONDS if len(ids) == 1 else None
    with database.long_work(lambda: _lock_orders(ids, changes.get("status")), wait) as found:
        for pk in dict.fromkeys(ids):
            try:
                with nullcontext() if single else transaction.atomic():
                    _apply(_require(found.get(pk), (versions or {}).get(pk)), changes, actor)
            except Refusal as refusal:
                outcome.fail(pk, refusal)
            else:
                outcome.updated.append(pk)
    return outcome


def _lock_orders(ids: Sequence[int], status: str | None) -> dict[int, Order]:
    found = {order.pk: order for order in _locked_orders().filter(pk__in=ids)}
    _lock_products(found.values(), status)
    return found


def _locked_orders() -> OrderQuerySet:
    return Order.objects.locked().prefetch_related("customer", "driver", "route__driver").order_by("pk")


def _lock_products(orders: Iterable[Order], status: str | None) -> None:
    """Locks the products whose stock changes when `orders` move to `status`, by ascending id.

    Locking them order by order could deadlock with a concurrent delivery of the same products.
    """
    if status not in (OrderStatus.DELIVERED, OrderStatus.CANCELLED):
        return
    moved = [order.pk for order in orders if OrderStatus.DELIVERED in (status, order.status)]
    products = Product.objects.filter(pk__in=OrderItem.objects.filter(order__in=moved).values("product"))
    list(products.select_for_update(no_key=True).order_by("pk").values_list("pk"))


def _require(order: Order | None, version: int | None) -> Order:
    """Returns the order. Raises Refusal if it does not exist, or does not have this version (None: any)."""
    if order is None:
        raise no_such_order()
    if version not in (None, order.version):
        raise VersionConflict(order.version)
    return order


def _apply(order: Order, changes: Mapping[str, Any], actor: Actor) -> None:
    columns = {name: changes[name] for name in COLUMNS & changes.keys()}
    status = changes.get("status")
    if columns:
        change(order, columns, actor)
    if status is not None:
        driver = changes.get("driver") if status == OrderStatus.ASSIGNED else None
        order.move(Command(status, by=actor.by, source=actor.source, reason=changes.get("reason", ""), driver=driver))
    if "driver" in changes and status != OrderStatus.ASSIGNED:
        change(order, {"driver": changes["driver"]}, actor)


def assign_route(route_id: int, driver: Driver, actor: Actor) -> BulkOutcome:
    """Assigns a route, and its confirmed and assigned orders, to a driver.

    Orders that the driver already has stay unchanged and are not in the outcome. All other open orders are refused.
    """
    outcome = BulkOutcome()
    with database.long_work(lambda: _lock_route(route_id, driver)) as (route, orders):
        route.driver = driver
        route.save()
        for order in orders:
            order.route = route
            try:
                if order.status in ON_THE_ROAD:
                    detail = _("Another driver is already out with this order. Please call that driver first.")
                    raise Refusal("invalid_transition", detail, attr="status", status=409)
                _set_driver(order, driver, actor)
            except Refusal as refusal:
                outcome.fail(order.pk, refusal)
            else:
                outcome.updated.append(order.pk)
    return outcome


def _lock_route(route_id: int, driver: Driver) -> tuple[Route, list[Order]]:
    """Locks the route, and those of its open orders that are not the driver's."""
    route = Route.objects.select_for_update(no_key=True).get(pk=route_id)
    return route, list(_locked_orders().filter(route=route, status__in=OPEN).exclude(driver=driver))
