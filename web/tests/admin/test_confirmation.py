from __future__ import annotations

import pytest
from django.urls import reverse

from orders.admin import order_moves
from orders.tests.admin.browser import Browser, told
from orders.tests.factories import make_customer, make_order
from web import admin

pytestmark = pytest.mark.django_db
LIST = reverse("admin:orders_order_changelist")


@pytest.fixture(autouse=True)
def _two_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (admin, order_moves):
        monkeypatch.setattr(module, "MOST_SHOWN", 2)


def test_page_shows_the_first_and_counts_the_rest(office: Browser) -> None:
    orders = [make_order() for _ in range(5)]
    answer = office.post(LIST, {"action": "cancel", "_selected_action": [order.pk for order in orders]})
    shown = answer.content.decode()
    assert sum(order.order_number in shown for order in orders) == 2
    assert "and 3 more" in shown


def test_refused_ones_are_told_by_the_first_numbers(office: Browser) -> None:
    orders = [make_order("cancelled") for _ in range(3)]
    answer = office.post(LIST, {"action": "confirm", "_selected_action": [order.pk for order in orders]})
    (line,) = (text for _, text in told(answer) if "cannot become" in text)
    assert line.startswith(f"{orders[0]}, {orders[1]} …: ")


def test_what_a_page_is_about_is_text(office: Browser) -> None:
    order = make_order(customer=make_customer(name="<script>alert(1)</script>"))
    answer = office.post(LIST, {"action": "cancel", "_selected_action": [order.pk]})
    assert "&lt;script&gt;" in answer.content.decode()
    assert "<script>alert" not in answer.content.decode()
