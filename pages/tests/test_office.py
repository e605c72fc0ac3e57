from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from orders.models import OrderItem
from orders.states import Status
from orders.tests.admin.browser import sign_in
from orders.tests.factories import make_customer, make_driver, make_office, make_order, make_product, make_user

pytestmark = pytest.mark.django_db


BOARD = 'id="board"'


def test_the_board_is_for_staff_alone() -> None:
    assert BOARD in sign_in(make_office()).get("/")
    for user in (make_driver().user, make_customer(user=make_user()).user, make_user()):
        assert user is not None
        shown = sign_in(user).client.get("/", follow=True)
        assert shown.status_code == 200
        assert BOARD not in shown.content.decode()


def test_every_status_is_a_column_that_cards_can_be_dropped_on() -> None:
    shown = sign_in(make_office()).get("/")
    assert set(re.findall(r'data-target="status:(\w+)"', shown)) == set(Status.values)


def test_the_board_is_told_what_the_office_may_do_in_its_language() -> None:
    shown = sign_in(make_office()).get("/")
    found = re.search(r'<script id="page-data" type="application/json">(.*?)</script>', shown)
    assert found is not None
    data = json.loads(found[1])
    assert {"to": "cancelled", "needs_reason": True} in data["moves"]["pending"]
    assert (data["labels"]["status"]["pending"], data["time_zone"]) == ("Pending", "Asia/Taipei")


def test_the_board_asks_the_database_for_no_order() -> None:
    browser = sign_in(make_office())
    with CaptureQueriesContext(connection) as asked:
        browser.get("/")
    assert [query["sql"] for query in asked if "orders_order" in query["sql"]] == []
    assert len(asked) < 8


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
