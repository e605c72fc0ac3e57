"""The channels and payloads of every type of event."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from jsonschema import Draft4Validator  # type: ignore[import-untyped]

from notifications.models import NotificationHistory
from orders import order_fields
from orders.models import Change, Order
from orders.models.order import Proof
from orders.order_fields import ALL, OFFICE, STAFF
from orders.states import OrderStatus
from orders.tests.api.client import Api
from orders.tests.factories import (
    make_customer,
    make_driver,
    make_office,
    make_order,
    make_product,
    make_route,
    make_user,
)
from realtime import channels, log, rights
from realtime.models import Event, Outbox
from realtime.outbox import announce
from realtime.publish import publish
from web.actors import Actor, Source

pytestmark = pytest.mark.django_db


REASON, CLERK, OTHER, DRIVER = "秘密原因", "職員甲", "別的客人", "老張司機"
PERSONAL = ("driver:", "customer:", "order:", "track:")
EVERY_TYPE = {
    "order.created", "order.updated", "order.urgent", "order.cancelled", "order.status_changed", "order.assigned",
    "order.unassigned", "delivery.update", "delivery.confirmed", "route.assigned", "route.updated", "customer.created",
    "customer.updated", "inventory.updated", "inventory.low", "notification.sent", "notification.failed",
    "notification", "system.message", "maintenance.alert", "custom.shift", rights.TYPE,
}  # fmt: skip
# Custom events are delivered as published. test_publish.py tests who receives them.
PUBLISHED = {"notification", "system.message", "maintenance.alert", "custom.shift"}


def read_events() -> list[Event]:
    log.assign_event_ids()
    return log.read(0, 10_000)


def make_every_change() -> tuple[Order, list[Event]]:
    """Makes every kind of change, by a clerk who gives reasons. Returns one of the orders and all events."""
    clerk = make_office(first_name=CLERK)
    first, second = make_driver(name=DRIVER), make_driver(name=DRIVER, user=make_user(last_name=DRIVER))
    other, product = make_customer(name=OTHER), make_product(stock=5, low_stock_threshold=5)
    route = make_route(driver=first)
    route.driver = second
    route.save()
    other.notes = "x"
    other.save()
    order = make_order(product=product, priority="urgent", route=route)

    def move(to: str, **more: Any) -> None:
        order.transition_to(to, by=clerk, source=Source.REST, reason=REASON, **more)

    move("confirmed")
    move("assigned", driver=first)
    order.assign(second, by=clerk, reason=REASON)
    for to in ("delivering", "arriving", "delivering", "failed", "confirmed"):
        move(to)
    move("assigned", driver=first)
    for to in ("delivering", "arriving"):
        move(to)
    move("delivered", proof=Proof("qr_code", ["CYL789"]))
    make_order(customer=order.customer).transition_to("cancelled", by=clerk, reason=REASON)
    order.customer = other
    order.save(change=Change(Actor(clerk, Source.ADMIN)))
    for attempt, status in ((8, "sent"), (9, "failed")):
        message = NotificationHistory(order=order, customer=other, kind="order_confirmed", delivery_attempt=attempt)
        message.save()
        message.move("pending", "sending")
        message.move("sending", status)
    publish("notification", {"title": "t", "message": "m"}, user=clerk.pk)
    publish("system.message", {"message": "m"})
    publish("maintenance.alert", {"message": "m"})
    publish("custom.shift", {"reason": "x"}, channel=f"driver:{first.pk}")
    return order, read_events()


def test_personal_channels_carry_only_their_own_data() -> None:
    order, written = make_every_change()
    assert {event.type for event in written} == EVERY_TYPE
    written = [event for event in written if event.type not in PUBLISHED]
    personal = [event for event in written if any(channel.startswith(PERSONAL) for channel in event.channels)]
    assert {event.type for event in personal} == EVERY_TYPE - PUBLISHED - {
        "inventory.updated", "inventory.low", "notification.sent", "notification.failed", rights.TYPE,
    }  # fmt: skip
    for event in personal:
        own = f"customer:{order.customer_id}" in event.channels
        text = json.dumps(event.data, ensure_ascii=False)
        secrets = {REASON, CLERK, DRIVER} | (set() if own else {OTHER})
        assert not [secret for secret in secrets if secret in text], event
        assert not {"reason", "changed_by", "source", "by"} & set(event.data), event
        if not event.type.startswith("route."):
            assert not {"driver_id", "route_id", "stop_sequence"} & set(event.data), event


def test_office_and_personal_channels_share_only_harmless_events() -> None:
    _, written = make_every_change()
    mixed = {event.type for event in written if len({channel.startswith(PERSONAL) for channel in event.channels}) == 2}
    assert mixed == {
        "delivery.confirmed", "route.assigned", "route.updated", "customer.created", "customer.updated",
    }  # fmt: skip


def test_office_event_says_who_changed_the_status_and_why() -> None:
    clerk = make_office(first_name=CLERK)
    make_order().transition_to("cancelled", by=clerk, source=Source.REST, reason=REASON)
    (data,) = [e.data for e in read_events() if e.type == "order.status_changed" and e.channels == ["orders"]]
    assert (data["previous_status"], data["status"], data["reason"]) == ("pending", "cancelled", REASON)
    assert (data["changed_by"], data["source"]) == (CLERK, "rest")
    assert data["products"] == [{"name": "20kg 瓦斯桶", "quantity": 1}]
    assert data["customer_name"]


def test_office_event_has_the_stop_sequence() -> None:
    order = make_order()
    order.route, order.stop_sequence = make_route(), 7
    order.save()
    data = [e.data for e in read_events() if e.type == "order.updated" and e.channels == ["orders"]][-1]
    assert (data["route_id"], data["stop_sequence"]) == (order.route_id, 7)


def test_track_channel_carries_no_personal_data() -> None:
    make_order(OrderStatus.CONFIRMED)
    (data,) = [e.data for e in read_events() if e.channels[-1].startswith("track:")]
    assert set(data) == {"order_id", "order_number", "status", "eta", "message"}


def test_track_channel_carries_a_new_eta() -> None:
    order = make_order(OrderStatus.CONFIRMED)
    before = len(read_events())
    order.eta = timezone.now()
    order.save()
    (data,) = [e.data for e in read_events()[before:] if e.channels[-1].startswith("track:")]
    assert data["eta"] == order.eta.isoformat()


@pytest.mark.parametrize(("language", "word"), [("en", "confirmed"), ("zh-hant", "確認")])
def test_delivery_update_is_in_the_customers_language(language: str, word: str) -> None:
    make_order(OrderStatus.CONFIRMED, customer=make_customer(language=language))
    (data,) = [e.data for e in read_events() if e.type == "delivery.update"]
    assert word in data["message"]


def test_former_driver_gets_only_order_unassigned() -> None:
    old, new = make_driver(), make_driver()
    order = make_order(OrderStatus.ASSIGNED, driver=old)
    before = len(read_events())
    order.assign(new)
    written = read_events()[before:]
    assert [event.type for event in written][:2] == ["order.unassigned", "order.assigned"]
    assert written[0].channels == [f"driver:{old.pk}"]
    assert f"driver:{old.pk}" not in [channel for event in written[1:] for channel in event.channels]


def test_former_customer_does_not_see_the_former_driver() -> None:
    order, other = make_order(OrderStatus.ASSIGNED), make_customer()
    former = order.customer_id, order.driver_id
    order.customer, order.driver = other, make_driver()
    order.save()
    (gone,) = [event for event in read_events() if event.type == "order.unassigned"]
    assert gone.channels == [f"customer:{former[0]}", f"driver:{former[1]}"]


def test_confirmation_row_of_an_older_release_is_delivered() -> None:
    order = make_order()
    announce("delivery.confirmed", f"order:{order.pk}", {"confirmation_type": "manual"})
    (event,) = [event for event in read_events() if event.type == "delivery.confirmed"]
    assert event.channels == ["orders", f"order:{order.pk}"]


def test_route_sends_its_stop_count_once_per_batch() -> None:
    route = make_route(driver=make_driver())
    read_events()
    before = log.head().seq
    for _ in range(3):
        make_order(route=route)
    log.assign_event_ids()
    written = [event for event in log.read(before, 100) if event.type == "route.updated"]
    assert [event.data["total_stops"] for event in written] == [3]


def test_inventory_low_is_sent_once_when_stock_becomes_low() -> None:
    product = make_product(stock=6, low_stock_threshold=5)
    for _ in range(3):
        product.add_stock(product.pk, -1)
    assert [e.data["stock"] for e in read_events() if e.type == "inventory.low"] == [4]


def test_query_count_does_not_depend_on_batch_size() -> None:
    make_order()
    log.assign_event_ids()  # the first call fills the caches of this process
    counts = []
    for orders in (2, 12):
        for _ in range(orders):
            make_order(OrderStatus.CONFIRMED)
        with CaptureQueriesContext(connection) as queries:
            assert log.assign_event_ids() > orders
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_revocations_are_on_a_channel_no_client_can_read() -> None:
    driver = make_driver()
    (end,) = [event for event in read_events() if event.type == rights.TYPE]
    assert end.channels == [rights.CHANNEL]
    assert not channels.exists(rights.CHANNEL)
    assert end.data["whose"] == f"user:{driver.user_id}"


# One declaration of an order field adds the field to lists, the single order, events and the schema.


def generate_schemas() -> dict[str, Any]:
    out = StringIO()
    call_command("spectacular", "--fail-on-warn", "--validate", stdout=out)
    made: dict[str, Any] = yaml.safe_load(out.getvalue())["components"]["schemas"]
    return made


def data_for(channel: str, written: list[Event]) -> dict[str, Any]:
    """The data of the only `order.updated` on this channel."""
    (data,) = [event.data for event in written if event.type == "order.updated" and channel in event.channels]
    return dict(data)


@pytest.mark.parametrize("seen_by", [ALL, STAFF, OFFICE])
def test_new_order_field_is_declared_in_one_place(seen_by: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients do not receive the column `import_ref`. The test adds it to the table of fields only."""
    customer, driver = make_customer(user=make_user()), make_driver()
    users = {"office": make_office(), "driver": driver.user, "customer": customer.user}
    order = make_order("assigned", customer=customer, driver=driver)
    hidden = {name: Api(user).get(f"orders/{order.pk}/").json() for name, user in users.items()}
    assert not any("import_ref" in body for body in hidden.values())

    monkeypatch.setattr(
        order_fields, "FIELDS", (*order_fields.FIELDS, order_fields.column_field("import_ref", seen_by, "sheet"))
    )
    order.import_ref = "sheet:7"
    order.save()

    for side, user in users.items():
        (row,) = Api(user).get("orders/").json()["results"]
        for body in (row, Api(user).get(f"orders/{order.pk}/").json()):
            assert body.get("import_ref") == ("sheet:7" if side in seen_by else None)
    written = read_events()
    assert data_for("orders", written)["sheet"] == "sheet:7"
    for channel in (f"driver:{driver.pk}", f"customer:{customer.pk}"):
        assert data_for(channel, written).get("sheet") == ("sheet:7" if seen_by is ALL else None)
    schemas = generate_schemas()
    for name in ("OrderOutput", "WholeOrderOutput"):
        assert schemas[name]["properties"]["import_ref"]["type"] == "string"
    assert schemas["OfficeOrderEventData"]["properties"]["sheet"]["type"] == "string"
    assert ("sheet" in schemas["OrderEventData"]["properties"]) == (seen_by is ALL)


def test_event_shows_the_state_at_the_time_of_the_change() -> None:
    order = make_order()
    order.notes, order.time_slot = "x", "morning"
    order.save()
    order.time_slot = "evening"
    order.save()
    slots = [event.data["time_slot"] for event in read_events() if "orders" in event.channels]
    assert slots == ["anytime", "morning", "evening"]


def test_row_of_an_older_release_lacks_newer_fields() -> None:
    make_order()
    row = Outbox.objects.get(type="order.created")
    del row.delta["area"], row.delta["stop_sequence"]
    row.save()
    office, personal = [event.data for event in read_events() if event.type == "order.created"]
    assert "area" not in office.keys() | personal.keys()
    assert "stop_sequence" not in office
    assert office["order_number"] == personal["order_number"]


def test_order_events_match_the_schema() -> None:
    driver = make_driver()
    order = make_order("delivered", driver=driver, priority="urgent")
    make_order("assigned", driver=driver).assign(make_driver())
    make_order(customer=order.customer).transition_to("cancelled", reason="x", by=make_office())
    schemas = generate_schemas()
    written = [event for event in read_events() if event.type.startswith(("order.", "delivery."))]
    assert len({event.type for event in written}) == 9
    for event in written:
        name = {"order.unassigned": "OrderUnassigned", "delivery.update": "DeliveryUpdate"}.get(event.type)
        name = name or ("DeliveryConfirmed" if event.type == "delivery.confirmed" else "OrderEvent")
        if name == "OrderEvent" and "orders" in event.channels:
            name = "OfficeOrderEvent"
        envelope = {
            "type": event.type,
            "id": event.seq,
            "channel": event.channels[0],
            "timestamp": "",
            "data": event.data,
        }
        shape = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": nullable(schemas)}}
        Draft4Validator(shape).validate(envelope)
        data = schemas[name]["properties"]["data"]["$ref"].rpartition("/")[2]
        assert event.data.keys() <= schemas[data]["properties"].keys()


def nullable(schema: Any) -> Any:
    """Converts `nullable: true` of OpenAPI 3.0 to JSON Schema: the type `null` is allowed too."""
    if isinstance(schema, list):
        return [nullable(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: nullable(value) for name, value in schema.items()}
    return made | {"type": [made["type"], "null"]} if made.get("nullable") is True and "type" in made else made
