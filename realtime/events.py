"""Builds events from outbox rows: their types, channels and payloads (docs/realtime.md).

Events on office channels carry every field. Those on `driver:`, `customer:`, `order:` and `track:` carry only fields
that people outside the office may see: no reasons, staff names or ids of other people. Custom events
(`realtime.publish`) are delivered as published.
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
from orders.states import OrderStatus
from realtime import rights
from realtime.channels import Identity
from realtime.models import Outbox

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EventDraft:
    """An event that has no id yet. Its envelope will name the first channel."""

    type: str
    channels: list[str]
    data: dict[str, Any]


def build_drafts(rows: Sequence[Outbox]) -> list[list[EventDraft]]:
    """Returns the events of each row. The number of queries does not grow with the number of rows."""
    orders = [row for row in rows if row.subject.startswith("order:") and "customer_id" in row.delta]
    # A route's number of stops is sent once per batch, after the events of the last row that may have changed it.
    last = {route: place for place, row in enumerate(rows) for route in row.delta.get("routes_touched", ())}
    routes = {_pk(row) for row in rows if row.subject.startswith("route:")} | last.keys()
    customers = [row.delta["customer_id"] for row in orders]
    users = [_pk(row) for row in rows if row.subject.startswith("user:")]
    facts = _read_facts(map(_pk, orders), customers, routes, users)
    drafts = [_build_or_skip(row, facts) for row in rows]
    for route, place in last.items():
        drafts[place].append(_route_draft("route.updated", route, facts.routes[route]))
    return drafts


def _build_or_skip(row: Outbox, facts: Facts) -> list[EventDraft]:
    """Returns the events of a row. An invalid row (of another release) has none, so that it cannot block later rows."""
    try:
        return _drafts_of(row, facts)
    except (KeyError, TypeError, ValueError):
        text = "Outbox row %s (%s, %s, request %s) is invalid and was skipped."
        logger.exception(text, row.pk, row.type, row.subject, row.request_id or "-")
        return []


def _drafts_of(row: Outbox, facts: Facts) -> list[EventDraft]:
    kind, _colon, name = row.subject.partition(":")
    match kind:
        case "order":
            return _order_drafts(row, facts)
        case "route":
            return _route_drafts(row, facts)
        case "product":
            return _product_drafts(row)
        case "customer":
            return [
                EventDraft(row.type, ["customers", row.subject], {"customer_id": int(name), "name": row.delta["name"]})
            ]
        case "driver":
            return [EventDraft(row.type, ["drivers"], {"driver_id": int(name)})]
        case "notification":
            return [EventDraft(row.type, ["notifications"], {"notification_id": name} | row.delta)]
        case "user":
            # The current rights, not those when the change was saved: two concurrent changes do not see each other.
            return [_revocation_draft(row.subject, facts.rights.get(int(name)))]
        case "session":
            return [_revocation_draft(row.subject, None)]
        case "published":
            return [EventDraft(row.type, row.delta.get("channels") or [name], row.delta["data"])]
    raise KeyError(kind)


def _revocation_draft(whose: str, present: str | None) -> EventDraft:
    return EventDraft(rights.TYPE, [rights.CHANNEL], {"whose": whose, "rights": present})


def _pk(row: Outbox) -> int:
    return int(row.subject.partition(":")[2])


def _order_drafts(row: Outbox, facts: Facts) -> list[EventDraft]:
    if row.type == "delivery.confirmed":
        proof = {name: value for name, value in row.delta.items() if name != "channels"}
        return [
            EventDraft(row.type, ["orders", *row.delta.get("channels", [row.subject])], {"order_id": _pk(row)} | proof)
        ]
    delta, customer = row.delta, row.delta["customer_id"]
    name, language = facts.customers.get(customer, ("", "zh-hant"))
    data = {"order_id": _pk(row)} | _fields_for(delta, Side.CUSTOMER)
    data |= {"customer_name": name, "products": facts.products.get(_pk(row), [])}
    office = data | _fields_for(delta, Side.OFFICE)
    types = [row.type, *_extra_types(delta)]
    drafts = _unassigned_drafts(data, delta) + _assigned_drafts(data, delta)
    for type_ in types:
        details = type_ == "order.status_changed"
        drafts.append(EventDraft(type_, ["orders"], office | (_status_fields(delta) if details else {})))
        previous = {"previous_status": delta["previous_status"]} if details else {}
        concerned = order_channels(_pk(row), customer, delta["driver_id"])
        drafts.append(EventDraft(type_, concerned, data | previous))
    return drafts + _delivery_update_drafts(data, delta, language)


def _fields_for(delta: dict[str, Any], side: Side) -> dict[str, Any]:
    """The fields for this side. A row of an older release may lack new fields; they are left out."""
    return {field.event: delta[field.event] for field in order_fields.event_fields(side) if field.event in delta}


def _extra_types(delta: dict[str, Any]) -> Iterable[str]:
    """The event types of the change besides the row's own: `order.urgent` and `order.cancelled`."""
    if delta["now_urgent"]:
        yield "order.urgent"
    if delta["previous_status"] and delta["status"] == "cancelled":
        yield "order.cancelled"


def _status_fields(delta: dict[str, Any]) -> dict[str, Any]:
    """Who changed the status, how, when and why. Only for the office."""
    return {
        "previous_status": delta["previous_status"], "changed_by": delta["by"], "source": delta["source"],
        "reason": delta["reason"], "at": delta["at"],
    }  # fmt: skip


def order_channels(order: int, customer: int, driver: int | None) -> list[str]:
    """The channels of an order, its customer and its current driver."""
    # The envelope names the first channel, so it must not reveal the driver to the customer.
    return [f"order:{order}", f"customer:{customer}", *([f"driver:{driver}"] if driver else [])]


def _unassigned_drafts(data: dict[str, Any], delta: dict[str, Any]) -> list[EventDraft]:
    """The event for the former driver and customer, if there are any, and the revocation of a former customer's link.

    They come before the other events of the change.
    """
    # The envelope names the first channel, so the customer's comes first, as in `order_channels`.
    former = {"customer": delta["previous_customer"], "driver": delta["previous_driver"]}
    channels = [f"{kind}:{pk}" for kind, pk in former.items() if pk]
    fields = {name: data[name] for name in ("order_id", "order_number", "version")}
    unassigned = [EventDraft("order.unassigned", channels, fields)] if channels else []
    if not delta["previous_customer"]:
        return unassigned
    link = Identity.of_link(data["order_id"], data["customer_id"])
    return [*unassigned, _revocation_draft(link.owner, link.rights)]


def _assigned_drafts(data: dict[str, Any], delta: dict[str, Any]) -> list[EventDraft]:
    return [EventDraft("order.assigned", [f"driver:{delta['driver_id']}"], data)] if delta["now_driven"] else []


def _delivery_update_drafts(data: dict[str, Any], delta: dict[str, Any], language: str) -> list[EventDraft]:
    """The event for the customer and the link if the status or the ETA changed. Holds no personal data."""
    if not (delta["previous_status"] or delta.get("now_expected")):
        return []
    channels = [f"customer:{data['customer_id']}", f"track:{data['order_id']}"]
    fields = {name: data[name] for name in ("order_id", "order_number", "status", "eta")}
    return [EventDraft("delivery.update", channels, fields | {"message": states.sentence(data["status"], language)})]


def _route_drafts(row: Outbox, facts: Facts) -> list[EventDraft]:
    delta, pk = row.delta, _pk(row)
    data = facts.routes[pk] | {name: delta[name] for name in ("driver_id", "date")}
    former = delta["previous_driver"]
    # The former driver must not see who drives the route now.
    lost = [EventDraft("route.updated", [f"driver:{former}"], data | {"driver_id": None})] if former else []
    return [*lost, _route_draft(row.type, pk, data)]


def _route_draft(type_: str, pk: int, data: dict[str, Any]) -> EventDraft:
    driver = [f"driver:{data['driver_id']}"] if data["driver_id"] else []
    return EventDraft(type_, ["routes", f"route:{pk}", *driver], data)


def _product_drafts(row: Outbox) -> list[EventDraft]:
    data = {"product_id": _pk(row)} | {name: row.delta[name] for name in ("name", "stock", "threshold")}
    types = ["inventory.updated", *(["inventory.low"] if row.delta["now_low"] else [])]
    return [EventDraft(type_, ["inventory"], data) for type_ in types]


# --- facts that are read when events get their ids: they rarely change, or did not exist at the change -------------


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of a batch, by id: products of orders, names and languages of customers, route data, user rights.

    Products are saved after their order, so the order's outbox row cannot hold them.
    """

    products: dict[int, list[dict[str, Any]]]
    customers: dict[int, tuple[str, str]]
    routes: dict[int, dict[str, Any]]
    rights: dict[int, str]


def _read_facts(
    order_ids: Iterable[int], customer_ids: Iterable[int], route_ids: Iterable[int], user_ids: Iterable[int]
) -> Facts:
    """Reads each kind with one query, or none if there are no ids: just building a query takes half a millisecond.

    `customer_ids` are the customers at the time of the change. The event must not name a customer the order got later.
    """
    return Facts(_products(order_ids), _customers(customer_ids), _routes(route_ids), rights.current_rights(user_ids))


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
    """The payloads of route events, by route id."""
    if not (wanted := set(ids)):
        return {}
    stops = Count("orders", filter=~Q(orders__status=OrderStatus.CANCELLED))
    rows = Route.objects.filter(pk__in=wanted).annotate(stops=stops).values_list("pk", "driver_id", "date", "stops")
    return {
        pk: {"route_id": pk, "driver_id": driver, "total_stops": stops, "date": str(date)}
        for pk, driver, date, stops in rows
    }
