from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from orders.tests.admin.browser import Browser, sign_in
from orders.tests.factories import make_customer, make_driver, make_user

pytestmark = pytest.mark.django_db
CHOOSE = reverse("admin:customers_customer_choose")
FIELD = {"app_label": "orders", "model_name": "order", "field_name": "customer"}


def found(office: Browser, term: str) -> list[dict[str, str]]:
    results: list[dict[str, str]] = office.client.get(CHOOSE, FIELD | {"term": term}).json()["results"]
    return results


def test_customers_of_one_name_are_told_apart(office: Browser) -> None:
    one = make_customer(name="王小姐", phone="0912-345-678", address="台北市大安區信義路1號")
    two = make_customer(name="王小姐", phone="0922-345-999", address="台北市中正區羅斯福路1號")
    assert {row["id"]: row["text"] for row in found(office, "王小姐")} == {
        str(one.pk): "王小姐 · 0912-***-678 · 台北市大安區信義路1號",
        str(two.pk): "王小姐 · 0922-***-999 · 台北市中正區羅斯福路1號",
    }


def test_customer_is_found_by_the_last_digits(office: Browser) -> None:
    customer = make_customer(phone="0912-345-678")
    make_customer(phone="0912-345-111")
    assert [row["id"] for row in found(office, "5678")] == [str(customer.pk)]


def test_inactive_customer_is_not_offered(office: Browser) -> None:
    make_customer(name="王小姐", is_active=False)
    assert found(office, "王") == []


@pytest.mark.parametrize("customer", ["abc", "9" * 40, "\0"])
def test_new_order_for_nonsense_opens_empty(office: Browser, customer: str) -> None:
    office.get(reverse("admin:orders_order_add"), customer=customer)


def test_new_order_for_a_customer_names_it(office: Browser) -> None:
    customer = make_customer(name="王小姐")
    assert "王小姐 · " in office.get(reverse("admin:orders_order_add"), customer=customer.pk)


@pytest.mark.parametrize("maker", [make_user, lambda: make_driver().user])
def test_only_who_may_see_customers_chooses(maker: Any) -> None:
    make_customer(name="王小姐")
    answer = sign_in(maker()).client.get(CHOOSE, FIELD | {"term": "王"})
    assert answer.status_code in (302, 403)


@pytest.mark.parametrize("other", ["order.driver", "order.route", "orderitem.product"])
def test_only_customers_are_chosen(office: Browser, other: str) -> None:
    make_driver()
    model, field = other.split(".")
    asked = {"app_label": "orders", "model_name": model, "field_name": field, "term": ""}
    assert office.client.get(CHOOSE, asked).status_code == 403
