"""Which change becomes which events, for which channels, with which payload (docs/realtime.md).

Office channels carry all. Personal ones (`driver:`, `customer:`, `order:`, `track:`) are built here from the few fields
a stranger's eyes may see: never a reason, a member of staff's name, or another's id. What is published
(`realtime.publish`) is told as it was written.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q

from accounts.roles import Side
from customers.models import Customer
from dispatch.models import Route
from orders import order_fields, states
from orders.models import OrderItem
from orders.states import Status
from realtime import rights
from realtime.channels import Identity
from realtime.models import Outbox

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Draft:
    """An event that has no number yet. The first channel is the one its readers see named."""

    type: str
    channels: list[str]
    data: dict[str, Any]


def drafts(rows: Sequence[Outbox]) -> list[list[Draft]]:
    """The events of each row. The subjects of the whole batch are read in a fixed number of queries."""
    orders = [row for row in rows if row.subject.startswith("order:") and "customer_id" in row.delta]
    # A route tells its number of stops once a batch, behind the last order that came or went.
    last = {route: place for place, row in enumerate(rows) for route in row.delta.get("routes_touched", ())}
    routes = {_pk(row) for row in rows if row.subject.startswith("route:")} | last.keys()
    customers = [row.delta["customer_id"] for row in orders]
    users = [_pk(row) for row in rows if row.subject.startswith("user:")]
    facts = _read(map(_pk, orders), customers, routes, users)
    made = [_build(row, facts) for row in rows]
    for route, place in last.items():
        made[place].append(_route_event("route.updated", route, facts.routes[route]))
    return made


def _build(row: Outbox, facts: Facts) -> list[Draft]:
    """One row that nobody understands (another release wrote it) must not stop all that stand behind it."""
    try:
        return _made(row, facts)
    except (KeyError, TypeError, ValueError):
        said = "The outbox row %s (%s, %s, request %s) becomes no event."
        logger.exception(said, row.pk, row.type, row.subject, row.request_id or "-")
        return []


def _made(row: Outbox, facts: Facts) -> list[Draft]:
    kind, _colon, name = row.subject.partition(":")
    match kind:
        case "order":
            return _order(row, facts)
        case "route":
            return _route(row, facts)
        case "product":
            return _product(row)
        case "customer":
            return [Draft(row.type, ["customers", row.subject], {"customer_id": int(name), "name": row.delta["name"]})]
        case "driver":
            return [Draft(row.type, ["drivers"], {"driver_id": int(name)})]
        case "notification":
            return [Draft(row.type, ["notifications"], {"notification_id": name} | row.delta)]
        case "user":
            # What the rights are when it is numbered: two changes at once did not know of each other.
            return [_rights_ended(row.subject, facts.rights.get(int(name)))]
        case "session":
            return [_rights_ended(row.subject, None)]
        case "published":
            return [Draft(row.type, row.delta.get("channels") or [name], row.delta["data"])]
    raise KeyError(kind)


def _rights_ended(whose: str, present: str | None) -> Draft:
    return Draft(rights.TYPE, [rights.CHANNEL], {"whose": whose, "rights": present})


def _pk(row: Outbox) -> int:
    return int(row.subject.partition(":")[2])


def _order(row: Outbox, facts: Facts) -> list[Draft]:
    if row.type == "delivery.confirmed":
        proof = {name: value for name, value in row.delta.items() if name != "channels"}
        return [Draft(row.type, ["orders", *row.delta.get("channels", [row.subject])], {"order_id": _pk(row)} | proof)]
    delta, customer = row.delta, row.delta["customer_id"]
    name, language = facts.customers.get(customer, ("", "zh-hant"))
    data = {"order_id": _pk(row)} | _carried(delta, Side.CUSTOMER)
    data |= {"customer_name": name, "products": facts.products.get(_pk(row), [])}
    office = data | _carried(delta, Side.OFFICE)
    types = [row.type, *_also(delta)]
    made = _unassigned(data, delta) + _assigned(data, delta)
    for type_ in types:
        details = type_ == "order.status_changed"
        made.append(Draft(type_, ["orders"], office | (_circumstances(delta) if details else {})))
        previous = {"previous_status": delta["previous_status"]} if details else {}
        concerned = order_channels(_pk(row), customer, delta["driver_id"])
        made.append(Draft(type_, concerned, data | previous))
    return made + _delivery_update(data, delta, language)


def _carried(delta: dict[str, Any], side: Side) -> dict[str, Any]:
    """A row of another release lacks what is new since, and is told without it."""
    return {field.event: delta[field.event] for field in order_fields.in_events(side) if field.event in delta}


def _also(delta: dict[str, Any]) -> Iterable[str]:
    """What the change is besides being a change: a toast of its own on the office's screens."""
    if delta["now_urgent"]:
        yield "order.urgent"
    if delta["previous_status"] and delta["status"] == "cancelled":
        yield "order.cancelled"


def _circumstances(delta: dict[str, Any]) -> dict[str, Any]:
    """For the office alone."""
    return {
        "previous_status": delta["previous_status"], "changed_by": delta["by"], "source": delta["source"],
        "reason": delta["reason"], "at": delta["at"],
    }  # fmt: skip


def order_channels(order: int, customer: int, driver: int | None) -> list[str]:
    """Of an order and of the people whose it is at this moment."""
    # All readers see the first channel named: it must not tell the customer who the driver is.
    return [f"order:{order}", f"customer:{customer}", *([f"driver:{driver}"] if driver else [])]


def _unassigned(data: dict[str, Any], delta: dict[str, Any]) -> list[Draft]:
    """Before all else of the change. Another customer has another link: the one before ends."""
    # All readers see the first channel named, as in `order_channels`.
    former = {"customer": delta["previous_customer"], "driver": delta["previous_driver"]}
    channels = [f"{kind}:{pk}" for kind, pk in former.items() if pk]
    few = {name: data[name] for name in ("order_id", "order_number", "version")}
    gone = [Draft("order.unassigned", channels, few)] if channels else []
    if not delta["previous_customer"]:
        return gone
    link = Identity.of_link(data["order_id"], data["customer_id"])
    return [*gone, _rights_ended(link.owner, link.rights)]


def _assigned(data: dict[str, Any], delta: dict[str, Any]) -> list[Draft]:
    return [Draft("order.assigned", [f"driver:{delta['driver_id']}"], data)] if delta["now_driven"] else []


def _delivery_update(data: dict[str, Any], delta: dict[str, Any], language: str) -> list[Draft]:
    """What the customer, and whoever holds the link, reads of a move or a new hour: nothing for strangers' eyes."""
    if not (delta["previous_status"] or delta.get("now_expected")):
        return []
    channels = [f"customer:{data['customer_id']}", f"track:{data['order_id']}"]
    few = {name: data[name] for name in ("order_id", "order_number", "status", "eta")}
    return [Draft("delivery.update", channels, few | {"message": states.sentence(data["status"], language)})]


def _route(row: Outbox, facts: Facts) -> list[Draft]:
    delta, pk = row.delta, _pk(row)
    data = facts.routes[pk] | {name: delta[name] for name in ("driver_id", "date")}
    former = delta["previous_driver"]
    # The former driver learns that the route is gone, not whose it is now.
    lost = [Draft("route.updated", [f"driver:{former}"], data | {"driver_id": None})] if former else []
    return [*lost, _route_event(row.type, pk, data)]


def _route_event(type_: str, pk: int, data: dict[str, Any]) -> Draft:
    driver = [f"driver:{data['driver_id']}"] if data["driver_id"] else []
    return Draft(type_, ["routes", f"route:{pk}", *driver], data)


def _product(row: Outbox) -> list[Draft]:
    data = {"product_id": _pk(row)} | {name: row.delta[name] for name in ("name", "stock", "threshold")}
    types = ["inventory.updated", *(["inventory.low"] if row.delta["now_low"] else [])]
    return [Draft(type_, ["inventory"], data) for type_ in types]


# --- what an event tells of its subject besides the change: it hardly changes, or was not yet there when saved -----


@dataclass(frozen=True, slots=True)
class Facts:
    """Of a whole batch: orders' products (saved after the order), customers' names and languages, routes, rights."""

    products: dict[int, list[dict[str, Any]]]
    customers: dict[int, tuple[str, str]]
    routes: dict[int, dict[str, Any]]
    rights: dict[int, str]


def _read(
    order_ids: Iterable[int], customer_ids: Iterable[int], route_ids: Iterable[int], user_ids: Iterable[int]
) -> Facts:
    """In one query a kind, and none for a kind that is not asked for: building it alone takes half a millisecond.

    The customers are those of the changes, not those the orders have by now: an event for the one must not name the
    other.
    """
    return Facts(_products(order_ids), _customers(customer_ids), _routes(route_ids), rights.present(user_ids))


def _products(order_ids: Iterable[int]) -> dict[int, list[dict[str, Any]]]:
    if not (wanted := set(order_ids)):
        return {}
    found: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    items = OrderItem.objects.filter(order__in=wanted).order_by("id")
    for order, name, quantity in items.values_list("order_id", "product__name", "quantity"):
        found[order].append({"name": name, "quantity": quantity})
    return dict(found)


def _customers(ids: Iterable[int]) -> dict[int, tuple[str, str]]:
    if not (wanted := set(ids)):
        return {}
    rows = Customer.objects.filter(pk__in=wanted).order_by().values_list("pk", "name", "language")
    return {pk: (name, language) for pk, name, language in rows}


def _routes(ids: Iterable[int]) -> dict[int, dict[str, Any]]:
    """What a route's event says, by id."""
    if not (wanted := set(ids)):
        return {}
    stops = Count("orders", filter=~Q(orders__status=Status.CANCELLED))
    rows = Route.objects.filter(pk__in=wanted).annotate(stops=stops).values_list("pk", "driver_id", "date", "stops")
    return {
        pk: {"route_id": pk, "driver_id": driver, "total_stops": stops, "date": str(date)}
        for pk, driver, date, stops in rows
    }
