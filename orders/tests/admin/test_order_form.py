from __future__ import annotations

from typing import Any

import pytest

from orders.models import Order, OrderItem
from orders.states import Status
from orders.tests.admin.browser import Browser, change, errors, sign_in
from orders.tests.admin.test_order import save
from orders.tests.factories import make_office, make_order, make_product
from orders.tests.threads import at_once

pytestmark = pytest.mark.django_db


def lines(order: Order) -> list[tuple[int, int, int]]:
    return [(item.product_id, item.quantity, item.unit_price) for item in order.items.all()]


def add(product: int, quantity: int, at: int = 1) -> dict[str, Any]:
    """A new line, as the page's script adds it."""
    return {
        "items-TOTAL_FORMS": at + 1, f"items-{at}-product": product, f"items-{at}-quantity": quantity,
    }  # fmt: skip


def test_quantity_changes_the_amount_in_one_version(office: Browser) -> None:
    order = make_order()
    save(office, order, **{"items-0-quantity": 3, "notes": "新"})
    order.refresh_from_db()
    assert (order.amount_due, order.version, order.notes) == (2400, 2, "新")


def test_price_stays_that_of_the_day_of_the_order(office: Browser) -> None:
    product = make_product(price=800)
    order = make_order(product=product)
    product.price = 900
    product.save()
    save(office, order, **{"items-0-quantity": 2, "items-0-unit_price": 1})
    assert lines(order) == [(product.pk, 2, 800)]


def test_new_line_has_todays_price(office: Browser) -> None:
    order, product = make_order(), make_product(price=650)
    save(office, order, **add(product.pk, 2))
    order.refresh_from_db()
    assert lines(order)[1] == (product.pk, 2, 650)
    assert order.amount_due == 800 + 1300


def test_line_may_go(office: Browser) -> None:
    order, other = make_order(), make_product()
    kept = OrderItem.objects.create(order=order, product=other, quantity=1)
    save(office, order, **{"items-0-DELETE": "on"})
    assert [pk for pk, _, _ in lines(order)] == [kept.product_id]


@pytest.mark.parametrize(
    "wrong",
    [
        {"items-0-DELETE": "on"}, {"lines": 1}, {"lines": 21},
        {"items-TOTAL_FORMS": "abc"}, {"items-TOTAL_FORMS": ""}, {"items-0-id": "9" * 30},
        {"opened_version": ""}, {"opened_version": "abc"}, {"opened_version": "9" * 40}, {"opened_version": "-1"},
        {"stop_sequence": 0}, {"stop_sequence": 1000}, {"eta_0": "9999-12-31", "eta_1": "23:59"},
    ],
)  # fmt: skip
def test_form_that_cannot_be_saves_nothing(office: Browser, wrong: dict[str, Any]) -> None:
    """`lines`: so many more, the first of the product that is in the order already."""
    order = make_order(notes="舊")
    said = dict(wrong)
    products = [order.items.get().product_id, *(make_product().pk for _ in range(said.get("lines", 1) - 1))]
    for at, product in enumerate(products[: said.pop("lines", 0)], 1):
        said |= add(product, 1, at)
    assert save(office, order, notes="新", **said).status_code == 200
    assert lines(order) == [(products[0], 1, 800)]
    assert (Order.objects.get().version, Order.objects.get().notes) == (1, "舊")


@pytest.mark.parametrize("status", list(Status))
def test_items_are_open_until_the_driver_sets_out(office: Browser, status: Status) -> None:
    order = make_order(status)
    is_open = status in (Status.PENDING, Status.CONFIRMED, Status.ASSIGNED)
    assert ("items-0-quantity" in office.form(change("order", order.pk), "order_form")) == is_open
    save(office, order, notes="新", **{"items-0-quantity": 5})
    assert lines(order)[0][1] == (5 if is_open else 1)
    assert Order.objects.get(pk=order.pk).notes == "新"


def test_form_opened_earlier_undoes_nothing(office: Browser) -> None:
    order = make_order(notes="舊")
    path = change("order", order.pk)
    opened = office.form(path, "order_form")
    Order.objects.get(pk=order.pk).transition_to(Status.CONFIRMED)
    answer = office.post(path, opened | {"notes": "新", "items-0-quantity": 9})
    order.refresh_from_db()
    assert 'name="opened_version" value="1"' in answer.content.decode()  # refused when saved again, too
    assert "Somebody else has changed this order" in "".join(errors(answer))
    assert (order.status, order.notes, order.version) == ("confirmed", "舊", 2)
    assert order.items.get().quantity == 1


@pytest.mark.django_db(transaction=True)
def test_two_who_save_at_once_and_one_is_told() -> None:
    order = make_order()
    path = change("order", order.pk)
    browsers = [sign_in(make_office()) for _ in range(4)]
    forms = [browser.form(path, "order_form") for browser in browsers]

    def post(index: int) -> int:
        return browsers[index].client.post(path, forms[index] | {"notes": f"第{index}位"}).status_code

    assert sorted(at_once(post, range(4))) == [200, 200, 200, 302]
    assert Order.objects.get(pk=order.pk).version == 2
