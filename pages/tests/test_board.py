from __future__ import annotations

import json
import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from orders.states import Status
from orders.tests.admin.browser import sign_in
from orders.tests.factories import make_customer, make_driver, make_office, make_user

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
