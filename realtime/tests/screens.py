"""Simulated clients for the property test: they load state by REST and apply events, as docs/realtime.md says."""

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
from realtime.tests.client import nowhere

ALIKE = (
    "order_number", "version", "status", "priority", "attempt", "customer_name", "scheduled_date", "time_slot", "area",
    "amount_due",
)  # fmt: skip


def of_row(row: dict[str, Any]) -> dict[str, Any]:
    """Converts an order of a REST list to the field names of events."""
    items = [{"name": item["name"], "quantity": item["quantity"]} for item in row["items"]]
    renamed: dict[str, Any] = {"customer_id": row["customer"], "address": row["delivery_address"], "products": items}
    return {name: row[name] for name in ALIKE} | renamed | {"eta": moment(row["eta"])}


def of_event(data: dict[str, Any]) -> dict[str, Any]:
    same = {name: data[name] for name in (*ALIKE, "customer_id", "address", "products")}
    return same | {"eta": moment(data["eta"])}


def moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


class Screen(Connection):
    """A client of one role. `kept` is the state it shows; a closed one shows nothing."""

    def __init__(self, api: Api, identity: Identity, endpoint: str) -> None:
        super().__init__(identity, endpoint, nowhere())
        self.api = api
        self.kept: dict[str, dict[int, Any]] = {}
        self.since = 0
        self.connected = False

    # --- loading ---

    def load(self) -> None:
        self.kept, self.since = self.fresh()

    def fresh(self) -> tuple[dict[str, dict[int, Any]], int]:
        """Loads the state by REST, and the cursor from the first response."""
        since, orders = self.rows("orders")
        office = self.identity.is_office
        kept: dict[str, dict[int, Any]] = {}
        kept["orders"] = {row["id"]: of_row(row) | (whose(row, "") if office else {}) for row in orders}
        if office or self.endpoint == "driver":
            kept["routes"] = {row["id"]: route(row, row["driver"]) for row in self.rows("routes")[1]}
        if office:
            kept["customers"] = {row["id"]: row["name"] for row in self.rows("customers")[1]}
            kept["stock"] = {row["id"]: (row["name"], row["stock"]) for row in self.rows("products")[1]}
        return kept, since

    def rows(self, name: str) -> tuple[int, list[dict[str, Any]]]:
        answer = self.api.get(f"{name}/", page_size=500)
        assert answer.status_code == 200, answer.content
        return int(answer.headers["Last-Event-Id"]), answer.json()["results"]

    # --- following ---

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
            self.keep("routes", data["route_id"], route(data, data["driver_id"]) if own else None)
        elif kind == "customer":
            self.keep("customers", data["customer_id"], data["name"])
            for order in self.kept["orders"].values():
                if order["customer_id"] == data["customer_id"]:
                    order["customer_name"] = data["name"]
        elif kind == "inventory":
            self.keep("stock", data["product_id"], (data["name"], data["stock"]))

    def apply_order(self, type_: str, data: dict[str, Any]) -> None:
        held = self.kept["orders"].get(data["order_id"])
        if held is not None and data["version"] < held["version"]:
            return
        gone = type_ == "order.unassigned"
        office = whose(data, "_id") if self.identity.is_office and not gone else {}
        self.keep("orders", data["order_id"], None if gone else of_event(data) | office)

    def keep(self, kind: str, pk: int, value: Any) -> None:
        if kind in self.kept and value is not None:
            self.kept[kind][pk] = value
        elif kind in self.kept:
            self.kept[kind].pop(pk, None)


class LinkScreen(Screen):
    """A holder of the link from the SMS. Shows the status and ETA of one order."""

    def __init__(self, order: Order) -> None:
        super().__init__(Api(), Identity.of_link(order.pk, order.customer_id), "track")
        self.token = order.tracking_token

    def fresh(self) -> tuple[dict[str, dict[int, Any]], int]:
        since = log.head().seq
        order = Order.objects.filter(tracking_token=self.token).first()
        return {"orders": {order.pk: (order.status, order.eta)} if order else {}}, since

    def apply(self, type_: str, data: dict[str, Any]) -> None:
        assert type_ == "delivery.update"
        self.kept["orders"][data["order_id"]] = (data["status"], moment(data["eta"]))

    def close(self, code: int) -> None:
        super().close(code)
        self.kept["orders"].clear()


def whose(data: dict[str, Any], ending: str) -> dict[str, Any]:
    """The fields of an order that only the office receives."""
    return {name: data[name + ending] for name in ("driver", "route")}


def route(data: dict[str, Any], driver: int | None) -> dict[str, Any]:
    return {"driver": driver, "stops": data["total_stops"], "date": data["date"]}


async def make_hub(head: LogHead) -> Hub:
    """A hub that does not read the log by itself."""
    hub = Hub()
    hub.begin(head, [], [])
    return hub


async def make(kind: type[Screen], *arguments: Any) -> Screen:
    assert asyncio.get_running_loop()
    return kind(*arguments)
