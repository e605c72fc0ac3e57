from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from dispatch.models import Driver
from orders.models import ConfirmationType, Priority
from orders.models.order import Proof
from orders.states import OrderStatus
from orders.tests.api.client import Api, make_api
from orders.tests.factories import (
    make_customer,
    make_driver,
    make_office,
    make_order,
    make_route,
    make_user,
)

pytestmark = pytest.mark.django_db


def test_urgent_lists_open_orders_only() -> None:
    make_order()
    make_order(OrderStatus.CANCELLED, priority=Priority.URGENT)
    order = make_order(priority=Priority.URGENT)
    rows = make_api("office").get("orders/urgent/").json()["results"]
    assert [row["id"] for row in rows] == [order.pk]


CUSTOMER_FIELDS = {
    "id", "order_number", "version", "status", "priority", "attempt", "customer", "customer_name", "items",
    "scheduled_date", "time_slot", "eta", "delivery_address", "area", "notes", "amount_due", "amount_collected",
    "created_at", "updated_at",
}  # fmt: skip
DRIVER_FIELDS = CUSTOMER_FIELDS | {
    "customer_phone", "customer_phone2", "driver", "route", "stop_sequence", "latitude", "longitude"
}  # fmt: skip
OFFICE_FIELDS = DRIVER_FIELDS | {"driver_name", "reported_later"}
FIELDS_BY_SIDE = {"office": OFFICE_FIELDS, "driver": DRIVER_FIELDS, "customer": CUSTOMER_FIELDS}
OFFICE_ONLY_FIELDS = {"history", "confirmations", "proof_images"}


def make_order_on_the_road(status: str = OrderStatus.DELIVERING, **more: Any) -> tuple[Driver, dict[str, Api], int]:
    """Creates an order with driver, customer and route, by default out for delivery.

    Returns the driver, the API clients of office, driver and customer, and the order's id.
    """
    driver = make_driver(name="陳司機", phone="0911-222-333")
    customer = make_customer(user=make_user(), phone="0912-345-678", latitude=25.03, longitude=121.54)
    order = make_order(status, driver=driver, customer=customer, route=make_route(driver=driver), **more)
    return driver, {"office": make_api("office"), "driver": Api(driver.user), "customer": Api(customer.user)}, order.pk


@pytest.mark.parametrize("side", FIELDS_BY_SIDE)
def test_each_side_sees_its_fields_in_list_and_detail(side: str) -> None:
    driver, apis, pk = make_order_on_the_road()
    (row,) = apis[side].get("orders/").json()["results"]
    whole = apis[side].get(f"orders/{pk}/").json()
    assert row.keys() == FIELDS_BY_SIDE[side]
    assert whole.keys() == row.keys() | (OFFICE_ONLY_FIELDS if side == "office" else set())
    assert {name: whole[name] for name in row} == row
    if side == "customer":
        text = json.dumps(whole, ensure_ascii=False)
        names = ("測試", driver.name, driver.phone, "222-333", "tracking", "import")
        assert not [word for word in names if word in text]


@pytest.mark.parametrize(
    ("side", "status", "number"),
    [
        ("office", OrderStatus.DELIVERING, "0912-***-678"),
        ("driver", OrderStatus.DELIVERING, "+886912345678"),
        ("driver", OrderStatus.DELIVERED, "0912-***-678"),
    ],
)
def test_only_driver_sees_full_telephone_of_open_order(side: str, status: str, number: str) -> None:
    _, apis, pk = make_order_on_the_road(status)
    assert apis[side].get(f"orders/{pk}/").json()["customer_phone"] == number


@pytest.mark.parametrize(("address", "door"), [("", (25.03, 121.54)), ("台北市信義區松仁路1號", (None, None))])
def test_coordinates_exist_only_for_customers_own_address(address: str, door: Any) -> None:
    _, apis, pk = make_order_on_the_road(**({"delivery_address": address} if address else {}))
    row = apis["driver"].get(f"orders/{pk}/").json()
    assert (row["latitude"], row["longitude"]) == door


def test_office_sees_when_late_reported_move_happened() -> None:
    half_an_hour_ago = timezone.now() - timedelta(minutes=30)
    order = make_order(OrderStatus.ASSIGNED, created_at=half_an_hour_ago - timedelta(minutes=30))
    order.transition_to(OrderStatus.DELIVERING, at=half_an_hour_ago)
    office = make_api("office")
    (row,) = office.get("orders/").json()["results"]
    assert row["reported_later"] == timezone.localtime(half_an_hour_ago).isoformat()
    order.transition_to(OrderStatus.ARRIVING)
    assert office.get(f"orders/{order.pk}/").json()["reported_later"] is None


def test_office_reads_the_history_with_names_and_reasons() -> None:
    order, clerk = make_order(), make_office(first_name="小美", last_name="林")
    order.transition_to(OrderStatus.CANCELLED, by=clerk, source="rest", reason="客人不在")
    row = make_api("office").get(f"orders/{order.pk}/").json()["history"][-1]
    assert (row["from_status"], row["to_status"], row["changed_by"], row["reason"]) == (
        "pending", "cancelled", "小美 林", "客人不在",
    )  # fmt: skip


def test_office_reads_proofs_of_delivery() -> None:
    order = make_order(OrderStatus.ARRIVING)
    proof = Proof(ConfirmationType.QR_CODE, ["CYL789"])
    order.transition_to(OrderStatus.DELIVERED, proof=proof)
    (row,) = make_api("office").get(f"orders/{order.pk}/").json()["confirmations"]
    assert (row["confirmation_type"], row["cylinder_serials"], row["confirmed_by"]) == ("qr_code", ["CYL789"], None)


def test_items_contain_product_name_and_price() -> None:
    order = make_order(quantity=2)
    (item,) = make_api("office").get(f"orders/{order.pk}/").json()["items"]
    product = order.items.get().product
    assert item == {
        "product": product.pk, "name": "20kg 瓦斯桶", "quantity": 2, "unit_price": 800, "quantity_delivered": None,
    }  # fmt: skip
