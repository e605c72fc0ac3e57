from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from orders.models import OrderItem
from orders.tests.admin.browser import sign_in
from orders.tests.factories import make_driver, make_office, make_order, make_product

pytestmark = pytest.mark.django_db


def told(page: str) -> Any:
    return json.loads(page.split('<script id="page-data" type="application/json">')[1].split("</script>")[0])


def test_the_page_is_the_offices() -> None:
    assert Client().get("/orders/new/").status_code == 302
    sign_in(make_driver().user).get("/orders/new/", status=403)
    sign_in(make_office()).get("/orders/new/")


def test_only_what_is_sold_is_offered() -> None:
    sold, _gone = make_product(name="20kg"), make_product(name="50kg", is_active=False)
    assert [product["id"] for product in told(sign_in(make_office()).get("/orders/new/"))["products"]] == [sold.pk]


def test_a_new_customer_is_offered_what_most_order() -> None:
    usual, other = make_product(), make_product()
    for product in (other, usual, usual):
        make_order(product=product)
    assert OrderItem.objects.count() == 3
    assert told(sign_in(make_office()).get("/orders/new/"))["usual"] == usual.pk


def test_without_any_order_nothing_is_usual() -> None:
    make_product()
    assert told(sign_in(make_office()).get("/orders/new/"))["usual"] is None
