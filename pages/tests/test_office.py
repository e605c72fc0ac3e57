from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from orders.models import OrderItem
from orders.states import OrderStatus
from orders.tests.admin.browser import sign_in
from orders.tests.factories import make_customer, make_driver, make_office, make_order, make_product, make_user

pytestmark = pytest.mark.django_db


BOARD = 'id="board"'


def test_board_is_only_for_staff() -> None:
    assert BOARD in sign_in(make_office()).get("/")
    for user in (make_driver().user, make_customer(user=make_user()).user, make_user()):
        assert user is not None
        response = sign_in(user).client.get("/", follow=True)
        assert response.status_code == 200
        assert BOARD not in response.content.decode()


def test_board_has_a_drop_target_for_every_status() -> None:
    html = sign_in(make_office()).get("/")
    assert set(re.findall(r'data-target="status:(\w+)"', html)) == set(OrderStatus.values)


def test_board_data_has_the_offices_moves_and_translated_labels() -> None:
    html = sign_in(make_office()).get("/")
    found = re.search(r'<script id="page-data" type="application/json">(.*?)</script>', html)
    assert found is not None
    data = json.loads(found[1])
    assert {"to": "cancelled", "needs_reason": True} in data["moves"]["pending"]
    assert (data["labels"]["status"]["pending"], data["time_zone"]) == ("Pending", "Asia/Taipei")


def test_board_page_needs_few_queries_and_reads_no_orders() -> None:
    browser = sign_in(make_office())
    with CaptureQueriesContext(connection) as captured:
        browser.get("/")
    assert [query["sql"] for query in captured if "orders_order" in query["sql"]] == []
    assert len(captured) < 8


def page_json(page: str) -> Any:
    return json.loads(page.split('<script id="page-data" type="application/json">')[1].split("</script>")[0])


def test_new_order_page_is_only_for_the_office() -> None:
    assert Client().get("/orders/new/").status_code == 302
    sign_in(make_driver().user).get("/orders/new/", status=403)
    sign_in(make_office()).get("/orders/new/")


def test_only_active_products_are_offered() -> None:
    sold, _inactive = make_product(name="20kg"), make_product(name="50kg", is_active=False)
    assert [product["id"] for product in page_json(sign_in(make_office()).get("/orders/new/"))["products"]] == [sold.pk]


def test_most_ordered_product_is_suggested() -> None:
    usual, other = make_product(), make_product()
    for product in (other, usual, usual):
        make_order(product=product)
    assert OrderItem.objects.count() == 3
    assert page_json(sign_in(make_office()).get("/orders/new/"))["usual"] == usual.pk


def test_without_orders_no_product_is_suggested() -> None:
    make_product()
    assert page_json(sign_in(make_office()).get("/orders/new/"))["usual"] is None
