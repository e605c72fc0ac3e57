"""One description of an order's fields reaches rows, the single order, events and the schema of all of them."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from jsonschema import Draft4Validator  # type: ignore[import-untyped]

from orders import order_fields
from orders.order_fields import ALL, OFFICE, STAFF
from orders.tests.api.client import Api
from orders.tests.factories import make_customer, make_driver, make_office, make_order, make_user
from realtime import log
from realtime.models import Event, Outbox

pytestmark = pytest.mark.django_db


def schemas() -> dict[str, Any]:
    out = StringIO()
    call_command("spectacular", "--fail-on-warn", "--validate", stdout=out)
    made: dict[str, Any] = yaml.safe_load(out.getvalue())["components"]["schemas"]
    return made


def events() -> list[Event]:
    log.number()
    return log.read(0, 10_000)


def data_for(channel: str, told: list[Event]) -> dict[str, Any]:
    """Of the only `order.updated` on this channel."""
    (data,) = [event.data for event in told if event.type == "order.updated" and channel in event.channels]
    return dict(data)


@pytest.mark.parametrize("seen_by", [ALL, STAFF, OFFICE])
def test_a_new_column_is_named_in_one_place(seen_by: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """`import_ref` is a column that no client reads; here it gets an entry in the table, and nothing else."""
    customer, driver = make_customer(user=make_user()), make_driver()
    people = {"office": make_office(), "driver": driver.user, "customer": customer.user}
    order = make_order("assigned", customer=customer, driver=driver)
    hidden = {name: Api(user).get(f"orders/{order.pk}/").json() for name, user in people.items()}
    assert not any("import_ref" in body for body in hidden.values())

    monkeypatch.setattr(
        order_fields, "FIELDS", (*order_fields.FIELDS, order_fields.column("import_ref", seen_by, "sheet"))
    )
    order.import_ref = "sheet:7"
    order.save()

    for side, user in people.items():
        (row,) = Api(user).get("orders/").json()["results"]
        for body in (row, Api(user).get(f"orders/{order.pk}/").json()):
            assert body.get("import_ref") == ("sheet:7" if side in seen_by else None)
    told = events()
    assert data_for("orders", told)["sheet"] == "sheet:7"
    for channel in (f"driver:{driver.pk}", f"customer:{customer.pk}"):
        assert data_for(channel, told).get("sheet") == ("sheet:7" if seen_by is ALL else None)
    described = schemas()
    for name in ("OrderOutput", "WholeOrderOutput"):
        assert described[name]["properties"]["import_ref"]["type"] == "string"
    assert described["OfficeOrderEventData"]["properties"]["sheet"]["type"] == "string"
    assert ("sheet" in described["OrderEventData"]["properties"]) == (seen_by is ALL)


def test_an_event_says_what_was_true_when_the_change_was_made() -> None:
    order = make_order()
    order.notes, order.time_slot = "x", "morning"
    order.save()
    order.time_slot = "evening"
    order.save()
    slots = [event.data["time_slot"] for event in events() if "orders" in event.channels]
    assert slots == ["anytime", "morning", "evening"]


def test_a_row_of_an_older_release_is_told_without_what_is_new_since() -> None:
    make_order()
    row = Outbox.objects.get(type="order.created")
    del row.delta["area"], row.delta["stop_sequence"]
    row.save()
    office, personal = [event.data for event in events() if event.type == "order.created"]
    assert "area" not in office.keys() | personal.keys()
    assert "stop_sequence" not in office
    assert office["order_number"] == personal["order_number"]


def test_events_of_orders_are_as_the_schema_describes_them() -> None:
    driver = make_driver()
    order = make_order("delivered", driver=driver, priority="urgent")
    make_order("assigned", driver=driver).assign(make_driver())
    make_order(customer=order.customer).transition_to("cancelled", reason="x", by=make_office())
    described = schemas()
    told = [event for event in events() if event.type.startswith(("order.", "delivery."))]
    assert len({event.type for event in told}) == 9
    for event in told:
        name = {"order.unassigned": "OrderUnassigned", "delivery.update": "DeliveryUpdate"}.get(event.type)
        name = name or ("DeliveryConfirmed" if event.type == "delivery.confirmed" else "OrderEvent")
        if name == "OrderEvent" and "orders" in event.channels:
            name = "OfficeOrderEvent"
        said = {"type": event.type, "id": event.seq, "channel": event.channels[0], "timestamp": "", "data": event.data}
        shape = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": nullable(described)}}
        Draft4Validator(shape).validate(said)
        data = described[name]["properties"]["data"]["$ref"].rpartition("/")[2]
        assert event.data.keys() <= described[data]["properties"].keys()


def nullable(schema: Any) -> Any:
    """As JSON Schema says it, of OpenAPI 3.0."""
    if isinstance(schema, list):
        return [nullable(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: nullable(value) for name, value in schema.items()}
    return made | {"type": [made["type"], "null"]} if made.get("nullable") is True and "type" in made else made
