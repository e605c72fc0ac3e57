from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection

from orders.models import Order, OrderItem
from orders.states import Status
from orders.tests.admin.browser import Browser, change, errors, sign_in
from orders.tests.factories import make_office, make_order, make_product

pytestmark = pytest.mark.django_db


def save(office: Browser, order: Order, **fields: Any) -> Any:
    path = change("order", order.pk)
    return office.post(path, office.form(path, "order_form") | fields)


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


def test_last_line_stays(office: Browser) -> None:
    order = make_order()
    assert errors(save(office, order, **{"items-0-DELETE": "on"})) == ["An order has 1 to 20 items."]
    assert len(lines(order)) == 1


def test_product_on_two_lines_is_an_error(office: Browser) -> None:
    order = make_order()
    item = order.items.get()
    assert "duplicate" in "".join(errors(save(office, order, **add(item.product_id, 2))))
    assert lines(order) == [(item.product_id, 1, 800)]


def test_more_lines_than_an_order_has_are_an_error(office: Browser) -> None:
    order = make_order()
    said: dict[str, Any] = {}
    for at in range(1, 22):
        said |= add(make_product().pk, 1, at)
    assert errors(save(office, order, **said))
    assert len(lines(order)) == 1


@pytest.mark.parametrize("form", [{"items-TOTAL_FORMS": "abc"}, {"items-TOTAL_FORMS": ""}, {"items-0-id": "9" * 30}])
def test_form_that_was_tampered_with_is_an_error(office: Browser, form: dict[str, str]) -> None:
    order = make_order()
    assert save(office, order, notes="新", **form).status_code == 200
    assert Order.objects.get(pk=order.pk).version == 1


@pytest.mark.parametrize("status", [Status.PENDING, Status.CONFIRMED, Status.ASSIGNED])
def test_items_are_open_until_the_driver_sets_out(office: Browser, status: Status) -> None:
    assert "items-0-quantity" in office.form(change("order", make_order(status).pk), "order_form")


@pytest.mark.parametrize("status", [Status.DELIVERING, Status.ARRIVING, Status.FAILED, Status.DELIVERED])
def test_items_are_fixed_once_on_the_road(office: Browser, status: Status) -> None:
    order = make_order(status)
    assert "items-0-quantity" not in office.form(change("order", order.pk), "order_form")
    save(office, order, notes="新", **{"items-0-quantity": 5})
    assert lines(order)[0][1] == 1
    assert Order.objects.get(pk=order.pk).notes == "新"


def test_form_opened_earlier_undoes_nothing(office: Browser) -> None:
    order = make_order(notes="舊")
    path = change("order", order.pk)
    opened = office.form(path, "order_form")
    Order.objects.get(pk=order.pk).transition_to(Status.CONFIRMED)
    answer = office.post(path, opened | {"notes": "新", "items-0-quantity": 9})
    order.refresh_from_db()
    assert "Somebody else has changed this order" in "".join(errors(answer))
    assert (order.status, order.notes, order.version) == ("confirmed", "舊", 2)
    assert order.items.get().quantity == 1


def test_form_opened_earlier_stays_refused_when_saved_again(office: Browser) -> None:
    order = make_order()
    path = change("order", order.pk)
    opened = office.form(path, "order_form")
    save(office, order, notes="新")
    again = office.post(path, opened).content.decode()
    assert 'name="opened_version" value="1"' in again


@pytest.mark.parametrize("version", ["", "abc", "9" * 40, "-1"])
def test_form_without_a_readable_version_is_refused(office: Browser, version: str) -> None:
    order = make_order(notes="舊")
    assert errors(save(office, order, notes="新", opened_version=version))
    assert Order.objects.get(pk=order.pk).notes == "舊"


@pytest.mark.django_db(transaction=True)
def test_two_who_save_at_once_and_one_is_told() -> None:
    order = make_order()
    path = change("order", order.pk)
    browsers = [sign_in(make_office()) for _ in range(4)]
    forms = [browser.form(path, "order_form") for browser in browsers]
    statuses: list[int] = []

    def post(index: int) -> None:
        try:
            answer = browsers[index].client.post(path, forms[index] | {"notes": f"第{index}位"})
            statuses.append(answer.status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=post, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200, 200, 200, 302]
    assert Order.objects.get(pk=order.pk).version == 2


@pytest.mark.parametrize(
    "wrong", [{"stop_sequence": 0}, {"stop_sequence": 1000}, {"eta_0": "9999-12-31", "eta_1": "23:59"}]
)
def test_field_that_cannot_be_is_an_error(office: Browser, wrong: dict[str, Any]) -> None:
    order = make_order()
    assert errors(save(office, order, **wrong))
    assert Order.objects.get(pk=order.pk).version == 1
