from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.utils import timezone

from orders.models import Order
from orders.tests.api.client import Api, codes, make_api
from orders.tests.factories import (
    make_customer,
    make_product,
    make_user,
)

pytestmark = pytest.mark.django_db


def new_order(**fields: Any) -> dict[str, Any]:
    usual = {"items": [{"product": make_product(price=800).pk, "quantity": 2}], "scheduled_date": str(tomorrow())}
    return usual | fields


def tomorrow() -> date:
    return timezone.localdate() + timedelta(days=1)


def test_office_places_an_order() -> None:
    customer, api = make_customer(), make_api("office")
    payload = new_order(customer=customer.pk, time_slot="morning", notes="後門", priority="urgent")
    answer = api.post("orders/", payload)
    order = Order.objects.get()
    assert (answer.status_code, answer.json()["id"], answer["ETag"]) == (201, order.pk, '"1"')
    assert (order.customer, order.status, order.amount_due, order.time_slot) == (customer, "pending", 1600, "morning")
    assert order.version == 1
    assert order.history.get().by == api.user


@pytest.mark.parametrize(
    ("field", "value", "code", "attr"),
    [
        ("items", [], "empty", "items"),
        ("items", "x", "not_a_list", "items"),
        ("items", [{"product": 0, "quantity": 1}], "min_value", "items.0.product"),
        ("items", [{"product": 10**30, "quantity": 1}], "max_value", "items.0.product"),
        ("items", [{"product": 999_999, "quantity": 1}], "unknown_product", "items.0.product"),
        ("items", [{"product": 1, "quantity": -1}], "min_value", "items.0.quantity"),
        ("items", [{"product": 1, "quantity": 1000}], "max_value", "items.0.quantity"),
        ("items", [{"product": 1, "quantity": 1.5}], "invalid", "items.0.quantity"),
        ("items", [{"product": 1, "quantity": 1, "price": 1}], "unknown_field", "items.0.price"),
        ("items", [{"product": 1, "quantity": 1}] * 21, "max_length", "items"),
        ("customer", True, "invalid", "customer"),
        ("customer", 10**30, "does_not_exist", "customer"),
        ("customer", [1], "invalid", "customer"),
        ("scheduled_date", "2026-02-30", "invalid", "scheduled_date"),
        ("scheduled_date", "2020-01-01", "date_passed", "scheduled_date"),
        ("scheduled_date", "9999-12-31", "date_too_far", "scheduled_date"),
        ("time_slot", "noon", "invalid_choice", "time_slot"),
        ("delivery_address", "x" * 201, "max_length", "delivery_address"),
        ("notes", {"a": 1}, "invalid", "notes"),
        ("status", "delivered", "unknown_field", "status"),
        ("driver", 1, "unknown_field", "driver"),
    ],
)
def test_invalid_order_is_refused_and_not_created(field: str, value: Any, code: str, attr: str) -> None:
    payload = new_order(customer=make_customer().pk) | {field: value}
    answer = make_api("office").post("orders/", payload)
    assert (answer.status_code, codes(answer)) == (400, [(code, attr)])
    assert not Order.objects.exists()


def test_customer_places_own_order() -> None:
    customer, other = make_customer(user=make_user()), make_customer()
    api = Api(customer.user)
    assert api.post("orders/", new_order()).status_code == 201
    assert Order.objects.get().customer == customer
    assert codes(api.post("orders/", new_order(customer=other.pk))) == [("forbidden", "customer")]


@pytest.mark.parametrize(
    ("role", "payload", "status", "attr"),
    [
        ("customer", {"priority": "urgent"}, 403, "priority"),
        ("driver", {}, 403, None), ("office", {}, 400, "customer"),
    ],
)  # fmt: skip
def test_fields_of_new_order_depend_on_role(role: str, payload: dict[str, Any], status: int, attr: str | None) -> None:
    answer = make_api(role).post("orders/", new_order(**payload))
    assert (answer.status_code, [found for _, found in codes(answer)]) == (status, [attr])
    assert not Order.objects.exists()


@pytest.mark.parametrize(
    ("is_active", "count", "code"), [(True, 2, ("product_repeated", "items.1.product")),
                                     (False, 1, ("unknown_product", "items.0.product"))],
)  # fmt: skip
def test_product_must_be_active_and_listed_once(is_active: bool, count: int, code: tuple[str, str]) -> None:
    items = [{"product": make_product(is_active=is_active).pk, "quantity": 1}] * count
    answer = make_api("office").post("orders/", new_order(customer=make_customer().pk, items=items))
    assert codes(answer) == [code]
