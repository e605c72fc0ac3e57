from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation

from orders.admin.badges import BADGE_CLASS, badge, money
from orders.states import OrderStatus
from orders.tests.admin.browser import Browser, sign_in
from orders.tests.factories import (
    make_customer,
    make_driver,
    make_order,
    make_route,
)

pytestmark = pytest.mark.django_db


LIST, ADD = reverse("admin:orders_order_changelist"), reverse("admin:orders_order_add")


def test_list_shows_order_summary(office: Browser) -> None:
    customer = make_customer(name="王小姐<script>", phone="0912-345-678")
    driver = make_driver(name="陳志明")
    order = make_order("assigned", customer=customer, driver=driver, priority="urgent", quantity=2)
    shown = office.get(LIST)
    for text in (
        order.order_number, "badge plain", "Assigned", "badge urgent", "王小姐&lt;script&gt;", "0912-***-678", "陳志明",
        "20kg×2",
        "NT$1,600", "11/23", order.delivery_address,
    ):  # fmt: skip
        assert text in shown, text
    assert "912345678" not in shown


def count_queries(office: Browser, path: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        office.get(path)
    return len(queries)


def test_list_query_count_is_constant(office: Browser) -> None:
    route = make_route()
    make_order("assigned", route=route)
    office.get(LIST)  # the first call also reads what each process reads once
    few = count_queries(office, LIST)
    for _ in range(5):
        make_order("assigned", route=make_route())
    assert count_queries(office, LIST) == few


@pytest.mark.parametrize("term", ["number", "洪", "仁愛路", "345678", "0934-345"])
def test_search_finds_by_number_name_address_and_telephone(office: Browser, term: str) -> None:
    order = make_order(customer=make_customer(name="洪先生", phone="0934-345-678", address="台北市大安區仁愛路1號"))
    other = make_order()
    shown = office.get(LIST, q=order.order_number if term == "number" else term)
    assert order.order_number in shown
    assert other.order_number not in shown


@pytest.mark.parametrize(
    "name", ["status__exact", "priority__exact", "area", "time_slot__exact", "driver__id__exact", "route__id__exact"]
)
def test_each_filter_finds_only_matching_orders(office: Browser, name: str) -> None:
    driver = make_driver()
    route = make_route(driver=driver)
    order = make_order("assigned", priority="urgent", time_slot="evening", route=route, driver=driver)
    other = make_order(customer=make_customer(address="台北市中正區羅斯福路1號"))
    shown = office.get(LIST)
    assert shown.index(order.order_number) < shown.index(other.order_number)  # the list begins with urgent orders
    value = getattr(order, name.partition("__")[0])
    shown = office.get(LIST, **{name: getattr(value, "pk", value)})
    assert order.order_number in shown
    assert other.order_number not in shown


def test_filter_offers_recent_routes_only(office: Browser) -> None:
    make_route(name="舊路線", date=timezone.localdate() - timedelta(days=30))
    make_route(name="新路線")
    make_route(name="另一條")
    shown = office.get(LIST)
    assert "新路線" in shown
    assert "舊路線" not in shown


def test_driver_cannot_open_admin() -> None:
    browser = sign_in(make_driver().user)
    assert browser.client.get(LIST).headers["location"].startswith("/admin/login/")


def test_every_status_has_colour() -> None:
    assert set(BADGE_CLASS) == set(OrderStatus)


def test_badge_has_label_and_colour() -> None:
    with translation.override("en"):
        assert badge("delivered") == '<span class="badge good">Delivered</span>'


@pytest.mark.parametrize(("amount", "shown"), [(None, "–"), (0, "NT$0"), (1234567, "NT$1,234,567")])
def test_money_has_thousands_separators(amount: int | None, shown: str) -> None:
    assert money(amount) == shown
