from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from orders import order_warnings
from orders.order_warnings import OrderWarning
from orders.states import OrderStatus
from orders.tests.admin.browser import shown_messages, sign_in
from orders.tests.api.client import codes, make_api
from orders.tests.factories import make_customer, make_office, make_order, make_product

pytestmark = pytest.mark.django_db


def test_warning_lists_only_open_orders() -> None:
    customer = make_customer()
    waiting = make_order(customer=customer)
    make_order(OrderStatus.CANCELLED, customer=customer)
    make_order()
    (warning,) = order_warnings.warnings_for(customer)
    assert warning.code == "open_order"
    assert waiting.order_number in warning.detail


@pytest.mark.parametrize(
    ("contact", "expected"),
    [
        ({"phone": "02-2345-6789"}, ["no_message"]), ({"phone": "02-2345-6789", "phone2": "0912-345-678"}, []),
        ({"phone": "", "email": "wang@example.com"}, []), ({"phone": ""}, ["no_message"]),
    ],
)  # fmt: skip
def test_unreachable_customer_gets_warning(contact: dict[str, str], expected: list[str]) -> None:
    assert [warning.code for warning in order_warnings.warnings_for(make_customer(**contact))] == expected


def test_registered_check_adds_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order_warnings, "CHECKS", [*order_warnings.CHECKS])
    order_warnings.register(lambda customer: [OrderWarning("owes", "Owes two cylinders.")])
    answer = make_api("office").get(f"orders/warnings/?customer={make_customer().pk}")
    assert answer.json() == [{"code": "owes", "detail": "Owes two cylinders."}]


def test_api_returns_warnings_of_customer() -> None:
    order = make_order()
    answer = make_api("office").get(f"orders/warnings/?customer={order.customer_id}")
    assert [warning["code"] for warning in answer.json()] == ["open_order"]
    assert order.order_number in answer.json()[0]["detail"]


@pytest.mark.parametrize(
    ("query", "code"), [("", "required"), ("customer=999999", "does_not_exist"), ("customer=x", "invalid")]
)
def test_request_for_warnings_needs_customer(query: str, code: str) -> None:
    assert codes(make_api("office").get(f"orders/warnings/?{query}")) == [(code, "customer")]


@pytest.mark.parametrize("role", ["driver", "customer"])
def test_only_office_reads_warnings(role: str) -> None:
    assert make_api(role).get(f"orders/warnings/?customer={make_customer().pk}").status_code == 403


def test_admin_warns_when_order_is_placed() -> None:
    browser, first, product = sign_in(make_office()), make_order(), make_product()
    add = reverse("admin:orders_order_add")
    items = {"items-TOTAL_FORMS": "1", "items-0-product": product.pk, "items-0-quantity": "1"}
    data = {"customer": first.customer_id, "scheduled_date": str(timezone.localdate() + timedelta(days=1)), **items}
    answer = browser.post(add, browser.form(add, "order_form") | data)
    assert any(first.order_number in text for level, text in shown_messages(answer) if level == "warning")
