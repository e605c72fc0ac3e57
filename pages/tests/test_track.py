from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from dispatch.models import Driver, DriverLocation
from orders.models import Order, OrderItem
from orders.models.order import Proof
from orders.states import OrderStatus
from orders.tests.factories import make_customer, make_driver, make_order, make_product
from pages.track import given_name

pytestmark = pytest.mark.django_db


def get_page(order: Order, **headers: str) -> Any:
    return Client(headers=headers).get(f"/t/{order.tracking_token}/")


def content(answer: HttpResponse) -> str:
    return answer.content.decode()


def make_order_with_driver(status: OrderStatus, **customer: Any) -> Order:
    return make_order(status, customer=make_customer(**customer), driver=make_driver(name="陳志明"))


def test_link_shows_the_status_and_day_of_the_order() -> None:
    html = content(get_page(make_order(OrderStatus.CONFIRMED)))
    assert "您的訂單已確認" in html
    assert "11/23" in html


def test_page_shows_of_the_driver_only_the_given_name() -> None:
    order = make_order_with_driver(OrderStatus.DELIVERING)
    html = content(get_page(order))
    assert "<dd>志明</dd>" in html
    assert "陳志明" not in html
    assert "222-333" not in html


def test_page_hides_phone_street_and_customer() -> None:
    order = make_order_with_driver(
        OrderStatus.DELIVERING, name="王大明", phone="0912-345-678", address="台北市大安區信義路四段7號"
    )
    # The page's time and the log's epoch may contain any digits.
    html = re.sub(r'"now": "[^"]*"|data-epoch="[^"]*"', "", content(get_page(order))).replace(order.order_number, "")
    assert not [secret for secret in ("王大明", "345", "678", "信義路") if secret in html]
    assert "大安區" in html


def test_destination_is_rounded_to_a_hundred_metres() -> None:
    html = content(get_page(make_order_with_driver(OrderStatus.DELIVERING, latitude=25.033964, longitude=121.564468)))
    assert '"latitude": 25.034' in html
    assert "25.0339" not in html


@pytest.mark.parametrize(("eta", "stops_before", "is_estimated"), [
    (None, 0, True), (None, 1, False), (timedelta(minutes=40), 0, False), (timedelta(hours=-5), 0, True),
])  # fmt: skip
def test_estimate_needs_the_next_stop_and_no_future_announced_time(
    eta: timedelta | None, stops_before: int, is_estimated: bool
) -> None:
    order = make_order_with_driver(OrderStatus.DELIVERING, latitude=25.0330, longitude=121.5654)
    assert order.driver is not None
    DriverLocation.objects.create(driver=order.driver, latitude=25.0510, longitude=121.5654, recorded_at=timezone.now())
    for _ in range(stops_before):
        make_order(OrderStatus.ARRIVING, driver=order.driver)
    if eta is not None:
        order.eta = timezone.now() + eta
        order.save()
    html = content(get_page(order))
    assert ("5–15" in html) is is_estimated
    assert eta is None or eta < timedelta() or f"{timezone.localtime(order.eta):%H:%M}" in html


def test_delivered_order_shows_a_receipt() -> None:
    order = make_order(OrderStatus.ARRIVING, quantity=2)
    product = order.items.get().product
    proof = Proof("manual", quantities={product.pk: 1}, parts={"amount_collected": 750})
    order.transition_to(OrderStatus.DELIVERED, proof=proof)
    html = content(get_page(order))
    assert re.findall(r"<td>([^<]*)</td>", html.split('class="card receipt"')[1]) == [
        product.name, "1", "NT$800", "NT$800", "NT$750",
    ]  # fmt: skip


def test_receipt_without_a_reported_payment_shows_the_total() -> None:
    order = make_order(OrderStatus.ARRIVING, quantity=2)
    other = OrderItem.objects.create(order=order, product=make_product(name="4kg", price=300), quantity=1)
    proof = Proof("manual", quantities={order.items.exclude(pk=other.pk).get().product_id: 2, other.product_id: 0})
    order.transition_to(OrderStatus.DELIVERED, proof=proof)
    cells = re.findall(r"<td>([^<]*)</td>", content(get_page(order)).split('class="card receipt"')[1])
    assert cells == ["20kg 瓦斯桶", "2", "NT$1,600", "4kg", "0", "NT$0", "NT$1,600"]


def test_opening_links_is_throttled_despite_forged_headers(rates: Callable[..., None]) -> None:
    rates(track="3/h")
    order = make_order()
    codes = [get_page(order, **{"x-forwarded-for": f"203.0.113.{number}"}).status_code for number in range(4)]
    assert codes == [200, 200, 200, 429]


def test_link_expires_a_day_after_the_delivery() -> None:
    order = make_order(OrderStatus.DELIVERED)
    assert get_page(order).status_code == 200
    order.history.update(recorded_at=timezone.now() - timedelta(hours=24, minutes=1))
    assert get_page(order).status_code == 404


@pytest.mark.parametrize("token", ["x", "a" * 300, "%00", "王", "'--"])
def test_wrong_link_shows_a_message_with_status_404(token: str) -> None:
    answer = Client().get(f"/t/{token}/")
    assert answer.status_code == 404
    assert 'class="message"' in answer.content.decode()


def test_headers_hide_the_link_from_search_engines_caches_and_sites() -> None:
    answer = get_page(make_order())
    assert answer.headers["X-Robots-Tag"] == "noindex, nofollow"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert "no-store" in answer.headers["Cache-Control"]


def test_page_is_in_the_customers_language_until_another_is_chosen() -> None:
    order = make_order(OrderStatus.CONFIRMED, customer=make_customer(language="en"))
    assert "Your order is confirmed." in content(get_page(order))
    client = Client()
    client.post("/i18n/setlang/", {"language": "zh-hant", "next": "/"})
    assert "您的訂單已確認" in client.get(f"/t/{order.tracking_token}/").content.decode()


def test_page_needs_few_queries(django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    order = make_order_with_driver(OrderStatus.DELIVERING)
    get_page(order)  # creates the row of the log's head
    with django_assert_max_num_queries(6):
        get_page(order)


@pytest.mark.parametrize(
    ("name", "given"),
    [("陳志明", "志明"), ("歐陽娜娜", "娜娜"), ("王明", "明"), ("John Smith", "John"), ("王", "王"), ("Ann", "Ann")],
)
def test_given_name_is_taken_from_chinese_and_english_names(name: str, given: str) -> None:
    assert given_name(Driver(name=name)) == given
