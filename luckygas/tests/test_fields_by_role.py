"""Each field of each call that drivers or customers can make, and which of them may send it.

The tests fail for a field that these tables lack.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from drf_spectacular.generators import SchemaGenerator

from accounts.roles import Side
from luckygas.tests.depot import ANYBODY, SERVED, V1, Depot, good_request, make_depot
from orders.api.order_input import ConfirmationInput, MoveDetails, StatusInput
from orders.models import Order
from orders.states import OrderStatus
from orders.tests.api.client import Api, codes
from orders.tests.factories import make_driver, make_office
from orders.tests.test_proof_images import make_image, make_upload
from realtime import commands
from realtime.channels import Identity
from realtime.commands import HANDLERS
from web.refusals import Refusal

pytestmark = pytest.mark.django_db
BOTH, DRIVER, CUSTOMER, NEITHER = {"driver", "customer"}, {"driver"}, {"customer"}, set[str]()
# Calls of drivers and customers. The office may send every field.
REST: dict[str, dict[str, set[str]]] = {
    "PATCH orders/{id}/status/": {
        "status": BOTH, "reason": BOTH, "at": BOTH, "ref": BOTH, "version": BOTH, "driver": NEITHER,
    },
    "POST orders/{id}/confirm-delivery/": {
        "confirmation_type": DRIVER, "cylinder_serials": DRIVER, "quantities": DRIVER, "amount_collected": DRIVER,
        "confirmed_at": DRIVER, "latitude": DRIVER, "longitude": DRIVER, "ref": DRIVER, "version": DRIVER,
    },
    "POST orders/{id}/proof-images/": {"kind": DRIVER, "image": DRIVER, "ref": DRIVER},
    "POST orders/": {
        "items": CUSTOMER, "scheduled_date": CUSTOMER, "time_slot": CUSTOMER, "delivery_address": CUSTOMER,
        "notes": CUSTOMER, "ref": CUSTOMER, "priority": NEITHER, "customer": NEITHER, "new_customer": NEITHER,
    },
    "PATCH orders/{id}/": {
        "items": CUSTOMER, "scheduled_date": CUSTOMER, "time_slot": CUSTOMER, "notes": CUSTOMER, "version": CUSTOMER,
        "delivery_address": NEITHER, "priority": NEITHER, "customer": NEITHER, "eta": NEITHER, "driver": NEITHER,
        "route": NEITHER, "stop_sequence": NEITHER,
    },
}  # fmt: skip
# Customers may send no socket commands. `order_update` ignores the field `driver`, like any unknown field.
SOCKET: dict[str, dict[str, set[str]]] = {
    "order_update": {
        "status": DRIVER, "reason": DRIVER, "at": DRIVER, "ref": DRIVER, "version": DRIVER, "notes": DRIVER,
        "eta": DRIVER, "driver": NEITHER,
    },
    "delivery.confirmed": REST["POST orders/{id}/confirm-delivery/"],
}  # fmt: skip
# Commands about the connection, not about an order.
CONNECTION_COMMANDS = {"heartbeat", "subscribe", "unsubscribe", "location_update", "authenticate"}


def bodies() -> Iterator[tuple[str, set[str]]]:
    """Yields each call with a body, and its fields."""
    document = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    for path, calls in document["paths"].items():
        for method, call in calls.items():
            for content in call.get("requestBody", {}).get("content", {}).values():
                name = content["schema"].get("$ref", "").rpartition("/")[2]
                fields = document["components"]["schemas"].get(name, {}).get("properties", {})
                yield f"{method.upper()} {path.replace(V1, '')}", set(fields)


def test_table_has_every_field_of_drivers_and_customers() -> None:
    open_to_some = (SERVED["driver"] | SERVED["customer"]) - ANYBODY
    found = {label: fields for label, fields in bodies() if label in open_to_some}
    assert found == {label: set(fields) for label, fields in REST.items()}


def values(depot: Depot) -> dict[str, Any]:
    item = {"product": depot.names["product"][0], "quantity": 1}
    return {
        "reason": "moved away", "at": timezone.now().isoformat(), "ref": "r1", "driver": make_driver().pk,
        "confirmation_type": "manual", "cylinder_serials": ["CYL1"], "quantities": {str(item["product"]): 1},
        "amount_collected": 800, "confirmed_at": timezone.now().isoformat(), "latitude": 25.0, "longitude": 121.5,
        "kind": "photo", "image": make_upload(make_image()), "items": [item], "time_slot": "morning",
        "scheduled_date": str(timezone.localdate()), "delivery_address": "台北市大安區和平東路1號", "notes": "x",
        "priority": "urgent", "customer": depot.names["customer"][0], "route": depot.names["route"][0],
        "new_customer": {"name": "王", "address": "台北市"}, "eta": timezone.now().isoformat(), "stop_sequence": 3,
    }  # fmt: skip


def order_of(label: str, role: str, depot: Depot) -> Order:
    """Returns an order that this call can change in this role."""
    if label.startswith("PATCH orders/{id}/status"):
        return depot.orders[OrderStatus.ASSIGNED if role == "driver" else OrderStatus.CONFIRMED]
    return depot.orders[{
        "PATCH orders/{id}/": OrderStatus.PENDING, "order_update": OrderStatus.ASSIGNED,
        "POST orders/{id}/proof-images/": OrderStatus.DELIVERED,
    }.get(label, OrderStatus.ARRIVING)]  # fmt: skip


@pytest.mark.parametrize("role", ["driver", "customer"])
def test_api_accepts_fields_only_from_roles_of_the_table(role: str) -> None:
    depot = make_depot()
    api, values_by_name = Api(depot.users[role]), values(depot)
    for label, fields in REST.items():
        method, path = label.split()
        order = order_of(label, role, depot)
        valid_body = good_request(depot, role, f"{method} {V1}{path}")["body"]
        valid_body.pop("customer", None)
        for name, roles in fields.items():
            value = order.version if name == "version" else valid_body.get(name, values_by_name.get(name))
            with transaction.atomic():
                url = V1 + path.replace("{id}", str(order.pk))
                body = {name: value} if label == "PATCH orders/{id}/" else valid_body | {name: value}
                if "image" in body:
                    body = body | {"image": make_upload(make_image())}
                form = "multipart" if "image" in body else "json"
                answer = getattr(api.client, method.lower())(url, body, format=form)
                transaction.set_rollback(True)
            if role in roles:
                assert answer.status_code in (200, 201), (label, name, answer.json())
            else:
                assert answer.status_code in (403, 404), (label, name, answer.status_code)


def test_naming_a_driver_without_permission_is_refused() -> None:
    depot, other = make_depot(), make_driver()
    for status, to in (
        (OrderStatus.ASSIGNED, "delivering"),
        (OrderStatus.DELIVERING, "assigned"),
        (OrderStatus.ARRIVING, "failed"),
    ):
        order = depot.orders[status]
        body = {"status": to, "driver": other.pk, "reason": "x"}
        answer = Api(depot.users["driver"]).patch(f"orders/{order.pk}/status/", body)
        assert (answer.status_code, codes(answer)) == (403, [("forbidden", "driver")])
        after = Order.objects.get(pk=order.pk)
        assert (after.status, after.driver_id, after.version) == (status, order.driver_id, order.version)


def test_office_may_name_a_driver_in_a_move() -> None:
    depot, other = make_depot(), make_driver()
    order = depot.orders[OrderStatus.DELIVERING]
    answer = Api(make_office()).patch(f"orders/{order.pk}/status/", {"status": "assigned", "driver": other.pk})
    assert (answer.status_code, Order.objects.get(pk=order.pk).driver_id) == (200, other.pk)


def test_table_has_every_socket_command_and_field() -> None:
    assert {*SOCKET, *CONNECTION_COMMANDS} == set(HANDLERS)
    assert set(SOCKET["order_update"]) == {*StatusInput().fields, *MoveDetails().fields}
    assert set(SOCKET["delivery.confirmed"]) == set(ConfirmationInput().fields)


def message(command: str, name: str, value: Any, order: Order) -> dict[str, Any]:
    usual = {"type": command, "order_id": order.pk}
    if command == "delivery.confirmed":
        return usual | {"confirmation_type": "manual", name: value}
    inner = {"details": {name: value}} if name in MoveDetails().fields else {name: value}
    return usual | {"status": "delivering"} | inner


@pytest.mark.parametrize("role", [Side.DRIVER, Side.CUSTOMER])
def test_socket_accepts_commands_of_drivers_only_and_ignores_their_field_driver(role: Side) -> None:
    depot = make_depot()
    identity, values_by_name = Identity.of(depot.users[role]), values(depot)
    for command, fields in SOCKET.items():
        order = order_of(command, role, depot)
        for name in fields:
            value = {"status": "delivering", "version": order.version}.get(name, values_by_name.get(name))
            with transaction.atomic():
                answer = outcome(identity, message(command, name, value, order))
                driver = Order.objects.get(pk=order.pk).driver_id
                transaction.set_rollback(True)
            assert answer == ("ack" if role == Side.DRIVER else "forbidden"), (command, name)
            assert driver == order.driver_id


def outcome(identity: Identity, message: dict[str, Any]) -> str:
    try:
        return str(commands.execute(identity, message)["type"])
    except Refusal as refusal:
        return refusal.code
