"""Simulated clients for the property test. They load state by REST and apply events (docs/realtime.md)."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from typing import Any

from orders.models import Order
from orders.tests.api.client import Api
from realtime import channels, log
from realtime.channels import Identity
from realtime.connection import Batch, Connection
from realtime.hub import Hub
from realtime.models import LogHead
from realtime.tests.client import unread_queue

SAME_FIELDS = (
    "order_number", "version", "status", "priority", "attempt", "customer_name", "scheduled_date", "time_slot", "area",
    "amount_due",
)  # fmt: skip


def state_of_row(row: dict[str, Any]) -> dict[str, Any]:
    """The state of an order from a REST list, with the field names of events."""
    items = [{"name": item["name"], "quantity": item["quantity"]} for item in row["items"]]
    renamed: dict[str, Any] = {"customer_id": row["customer"], "address": row["delivery_address"], "products": items}
    return {name: row[name] for name in SAME_FIELDS} | renamed | {"eta": parse_time(row["eta"])}


def state_of_event(data: dict[str, Any]) -> dict[str, Any]:
    same = {name: data[name] for name in (*SAME_FIELDS, "customer_id", "address", "products")}
    return same | {"eta": parse_time(data["eta"])}


def parse_time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


class SimulatedClient(Connection):
    """A client of one role. `state` is what it shows, by kind and id."""

    def __init__(self, api: Api, identity: Identity, endpoint: str) -> None:
        super().__init__(identity, endpoint, unread_queue())
        self.api = api
        self.state: dict[str, dict[int, Any]] = {}
        self.since = 0
        self.connected = False

    # --- loading ---

    def load(self) -> None:
        self.state, self.since = self.load_anew()

    def load_anew(self) -> tuple[dict[str, dict[int, Any]], int]:
        """Loads the state by REST. Returns it with the cursor of the first response."""
        since, orders = self.rows("orders")
        office = self.identity.is_office
        state: dict[str, dict[int, Any]] = {}
        state["orders"] = {row["id"]: state_of_row(row) | (office_fields(row, "") if office else {}) for row in orders}
        if office or self.endpoint == "driver":
            state["routes"] = {row["id"]: route(row, row["driver"]) for row in self.rows("routes")[1]}
        if office:
            state["customers"] = {row["id"]: row["name"] for row in self.rows("customers")[1]}
            state["stock"] = {row["id"]: (row["name"], row["stock"]) for row in self.rows("products")[1]}
        return state, since

    def rows(self, name: str) -> tuple[int, list[dict[str, Any]]]:
        response = self.api.get(f"{name}/", page_size=500)
        assert response.status_code == 200, response.content
        return int(response.headers["Last-Event-Id"]), response.json()["results"]

    # --- applying events ---

    async def connect(self, hub: Hub) -> None:
        """Replays missed events, then joins the hub, as the consumer does."""
        wanted = set(channels.own_channels(self.identity, self.endpoint))
        self.deliver(Batch([event.text for event in hub.missed_events(self.since, self.identity, wanted)]))
        hub.readers.join(self, wanted)
        self.connected = True

    def deliver(self, batch: Batch) -> None:
        for frame in map(json.loads, batch.texts):
            self.apply(frame["type"], frame["data"])

    def apply(self, type_: str, data: dict[str, Any]) -> None:
        kind = type_.partition(".")[0]
        if kind == "order":
            self.apply_order(type_, data)
        elif kind == "route":
            own = self.identity.is_office or data["driver_id"] == self.identity.driver_id
            self.set_row("routes", data["route_id"], route(data, data["driver_id"]) if own else None)
        elif kind == "customer":
            self.set_row("customers", data["customer_id"], data["name"])
            for order in self.state["orders"].values():
                if order["customer_id"] == data["customer_id"]:
                    order["customer_name"] = data["name"]
        elif kind == "inventory":
            self.set_row("stock", data["product_id"], (data["name"], data["stock"]))

    def apply_order(self, type_: str, data: dict[str, Any]) -> None:
        shown = self.state["orders"].get(data["order_id"])
        if shown is not None and data["version"] < shown["version"]:
            return
        gone = type_ == "order.unassigned"
        office = office_fields(data, "_id") if self.identity.is_office and not gone else {}
        self.set_row("orders", data["order_id"], None if gone else state_of_event(data) | office)

    def set_row(self, kind: str, pk: int, value: Any) -> None:
        if kind in self.state and value is not None:
            self.state[kind][pk] = value
        elif kind in self.state:
            self.state[kind].pop(pk, None)


class SimulatedLink(SimulatedClient):
    """A holder of the link from the SMS. Shows the status and ETA of one order, and nothing once closed."""

    def __init__(self, order: Order) -> None:
        super().__init__(Api(), Identity.of_link(order.pk, order.customer_id), "track")
        self.token = order.tracking_token

    def load_anew(self) -> tuple[dict[str, dict[int, Any]], int]:
        since = log.head().seq
        order = Order.objects.filter(tracking_token=self.token).first()
        return {"orders": {order.pk: (order.status, order.eta)} if order else {}}, since

    def apply(self, type_: str, data: dict[str, Any]) -> None:
        assert type_ == "delivery.update"
        self.state["orders"][data["order_id"]] = (data["status"], parse_time(data["eta"]))

    def close(self, code: int) -> None:
        super().close(code)
        self.state["orders"].clear()


def office_fields(data: dict[str, Any], ending: str) -> dict[str, Any]:
    """The fields of an order that only the office receives. `ending`: `_id` for an event, empty for a row."""
    return {name: data[name + ending] for name in ("driver", "route")}


def route(data: dict[str, Any], driver: int | None) -> dict[str, Any]:
    return {"driver": driver, "stops": data["total_stops"], "date": data["date"]}


async def make_hub(head: LogHead) -> Hub:
    """A hub at the end of the log. It runs no tasks: the test delivers events to it."""
    hub = Hub()
    hub.begin(head, [], [])
    return hub


async def make_client(kind: type[SimulatedClient], *arguments: Any) -> SimulatedClient:
    """Creates a client. A coroutine, because a `Connection` needs a running event loop."""
    assert asyncio.get_running_loop()
    return kind(*arguments)
