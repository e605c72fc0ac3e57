from __future__ import annotations

import json

import pytest

from dispatch.models import Driver
from orders.api import order_output
from orders.models import ConfirmationType
from orders.models.order import Proof
from orders.states import Status
from orders.tests.api.client import Api, make_api
from orders.tests.factories import make_customer, make_driver, make_office, make_order, make_route, make_user

pytestmark = pytest.mark.django_db


def make_driven(status: str = Status.DELIVERING) -> tuple[Driver, Api, int]:
    """A driver, the client of its customer, and an order on its way between them."""
    driver = make_driver(name="陳司機", phone="0911-222-333")
    customer = make_customer(user=make_user(), phone="0912-345-678")
    route = make_route(driver=driver)
    order = make_order(status, driver=driver, customer=customer, route=route)
    return driver, Api(customer.user), order.pk


def test_office_sees_all_fields_of_one_order() -> None:
    _, _, pk = make_driven()
    body = make_api("office").get(f"orders/{pk}/").json()
    assert set(body) == order_output.OFFICE
    assert body["customer_phone"] == "0912-***-678"


def test_office_reads_the_history_with_names_and_reasons() -> None:
    order, clerk = make_order(), make_office(first_name="小美", last_name="林")
    order.transition_to(Status.CANCELLED, by=clerk, source="rest", reason="客人不在")
    row = make_api("office").get(f"orders/{order.pk}/").json()["history"][-1]
    assert (row["from_status"], row["to_status"], row["changed_by"], row["reason"]) == (
        "pending", "cancelled", "小美 林", "客人不在",
    )  # fmt: skip


def test_office_reads_proofs_of_delivery() -> None:
    order = make_order(Status.ARRIVING)
    proof = Proof(ConfirmationType.QR_CODE, ["CYL789"])
    order.transition_to(Status.DELIVERED, proof=proof)
    (row,) = make_api("office").get(f"orders/{order.pk}/").json()["confirmations"]
    assert (row["confirmation_type"], row["cylinder_serials"], row["confirmed_by"]) == ("qr_code", ["CYL789"], None)


def test_driver_sees_the_number_to_call_while_there_is_something_to_deliver() -> None:
    driver, _, pk = make_driven()
    body = Api(driver.user).get(f"orders/{pk}/").json()
    assert set(body) == order_output.DRIVER
    assert body["customer_phone"] == "+886912345678"


def test_driver_sees_a_masked_number_afterwards() -> None:
    driver, _, pk = make_driven(Status.DELIVERED)
    assert Api(driver.user).get(f"orders/{pk}/").json()["customer_phone"] == "0912-***-678"


@pytest.mark.parametrize("path", ["orders/", "orders/{pk}/"])
def test_customer_sees_nothing_of_staff_and_driver(path: str) -> None:
    driver, customer, pk = make_driven()
    body = customer.get(path.format(pk=pk)).json()
    row = body["results"][0] if "results" in body else body
    text = json.dumps(body, ensure_ascii=False)
    assert set(row) == order_output.CUSTOMER
    assert not [word for word in ("測試", driver.name, driver.phone, "222-333", "tracking", "import") if word in text]


def test_items_carry_name_and_frozen_price() -> None:
    order = make_order(quantity=2)
    (item,) = make_api("office").get(f"orders/{order.pk}/").json()["items"]
    product = order.items.get().product
    assert item == {
        "product": product.pk, "name": "20kg 瓦斯桶", "quantity": 2, "unit_price": 800, "quantity_delivered": None,
    }  # fmt: skip


def test_list_has_no_history() -> None:
    make_order()
    (row,) = make_api("office").get("orders/").json()["results"]
    assert set(row) == order_output.OFFICE - {"history", "confirmations", "proof_images"}
