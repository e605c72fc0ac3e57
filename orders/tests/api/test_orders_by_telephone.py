"""Orders placed during a telephone call: with a new customer, and idempotent by `ref`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from customers.models import Customer
from orders.models import Order
from orders.tests.api.client import Api, codes, make_api
from orders.tests.factories import (
    make_customer,
    make_office,
    make_product,
    make_user,
)
from orders.tests.threads import in_thread

pytestmark = pytest.mark.django_db


NEW_CUSTOMER = {"name": "林太太", "phone": "0912 345 678", "address": "台北市大安區和平東路1號"}


def phone_order(**fields: Any) -> dict[str, Any]:
    items = [{"product": make_product().pk, "quantity": 1}]
    return {"items": items, "scheduled_date": str(timezone.localdate())} | fields


def test_order_can_create_its_customer() -> None:
    answer = make_api("office").post("orders/", phone_order(new_customer=NEW_CUSTOMER))
    assert answer.status_code == 201
    customer = Order.objects.get().customer
    assert (customer.name, customer.phone, customer.area) == ("林太太", "+886912345678", "大安區")
    assert Order.objects.get().delivery_address == NEW_CUSTOMER["address"]


@pytest.mark.parametrize(
    ("wrong", "attr"),
    [({"name": ""}, "new_customer.name"), ({"phone": "12"}, "new_customer.phone"), ({"user": 1}, "new_customer.user")],
)
def test_invalid_new_customer_refuses_order(wrong: dict[str, Any], attr: str) -> None:
    answer = make_api("office").post("orders/", phone_order(new_customer=NEW_CUSTOMER | wrong))
    assert answer.status_code == 400
    assert [found for _, found in codes(answer)] == [attr]
    assert not Customer.objects.exists()


def test_refused_order_creates_no_customer() -> None:
    answer = make_api("office").post(
        "orders/", phone_order(new_customer=NEW_CUSTOMER, items=[{"product": 999, "quantity": 1}])
    )
    assert answer.status_code == 400
    assert not Customer.objects.exists()


def test_customer_together_with_new_customer_is_refused() -> None:
    answer = make_api("office").post("orders/", phone_order(new_customer=NEW_CUSTOMER, customer=make_customer().pk))
    assert (answer.status_code, codes(answer)) == (400, [("invalid", None)])


def test_only_office_creates_customers() -> None:
    customer = make_customer(user=make_user())
    answer = Api(customer.user).post("orders/", phone_order(new_customer=NEW_CUSTOMER))
    assert (answer.status_code, codes(answer)) == (403, [("forbidden", "new_customer")])


def test_repeated_ref_returns_the_order_it_created() -> None:
    api = make_api("office")
    payload = phone_order(new_customer=NEW_CUSTOMER, ref="a-call")
    first, second = api.post("orders/", payload), api.post("orders/", payload)
    assert first.json() == second.json()
    assert (Order.objects.count(), Customer.objects.count()) == (1, 1)


def test_ref_is_unique_per_user() -> None:
    payload = phone_order(customer=make_customer().pk, ref="a-call")
    for user in (make_office(), make_office()):
        Api(user).post("orders/", payload)
    assert Order.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_concurrent_requests_with_one_ref_create_one_order() -> None:
    api = make_api("office")
    payload = phone_order(new_customer=NEW_CUSTOMER, ref="a-call")
    works = [in_thread(lambda: api.post("orders/", payload)) for _ in range(6)]
    for work in works:
        work.join()
    assert (Order.objects.count(), Customer.objects.count()) == (1, 1)


@pytest.mark.parametrize(
    "other", [{"time_slot": "evening"}, {"notes": "後門"}, {"priority": "urgent"}, {"delivery_address": "台北市1號"}]
)
def test_ref_reused_with_other_fields_is_refused(other: dict[str, Any]) -> None:
    api = make_api("office")
    payload = phone_order(new_customer=NEW_CUSTOMER, ref="a-call", time_slot="morning")
    assert [api.post("orders/", payload).status_code for _ in range(2)] == [201, 201]
    assert codes(api.post("orders/", payload | other)) == [("ref_reused", "ref")]
    phone = NEW_CUSTOMER | {"phone": "0912 345 679"}
    assert codes(api.post("orders/", payload | {"new_customer": phone})) == [("ref_reused", "ref")]


@pytest.mark.parametrize("other", [{"quantity": 2}, {"name": "別人"}, {"days": 1}])
def test_ref_reused_for_different_order_is_refused(other: dict[str, Any]) -> None:
    api = make_api("office")
    payload = phone_order(new_customer=NEW_CUSTOMER, ref="a-call")
    api.post("orders/", payload)
    changed = payload | {"new_customer": NEW_CUSTOMER | {"name": other.get("name", NEW_CUSTOMER["name"])}}
    changed["items"] = [payload["items"][0] | {"quantity": other.get("quantity", 1)}]
    changed["scheduled_date"] = str(timezone.localdate() + timedelta(days=other.get("days", 0)))
    answer = api.post("orders/", changed)
    assert (answer.status_code, codes(answer)) == (409, [("ref_reused", "ref")])
    assert Order.objects.count() == 1
