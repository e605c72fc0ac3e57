from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from orders.models import Order, OrderItem
from orders.states import OrderStatus
from orders.tests.admin.browser import Browser, change_url, form_errors, sign_in
from orders.tests.factories import (
    TODAY,
    make_customer,
    make_driver,
    make_office,
    make_order,
    make_product,
    make_route,
)
from orders.tests.threads import run_concurrently

pytestmark = pytest.mark.django_db


LIST, ADD = reverse("admin:orders_order_changelist"), reverse("admin:orders_order_add")


def save(office: Browser, order: Order, **fields: Any) -> Any:
    """Opens the page, changes `fields` and saves."""
    path = change_url("order", order.pk)
    return office.post(path, office.form(path, "order_form") | fields)


def add_order(office: Browser, **fields: Any) -> Any:
    return office.post(ADD, office.form(ADD, "order_form") | {"scheduled_date": str(timezone.localdate())} | fields)


def test_new_order_has_version_one_and_todays_prices(office: Browser) -> None:
    customer, product = make_customer(), make_product(price=760)
    submitted = {"customer": customer.pk, "items-0-product": product.pk, "items-0-quantity": 2}
    answer = add_order(office, **submitted)
    order = Order.objects.get()
    assert answer.redirect_chain == [(LIST, 302)]
    assert (order.version, order.amount_due, order.status) == (1, 1520, OrderStatus.PENDING)
    assert order.delivery_address == customer.address
    assert order.items.get().unit_price == 760
    history = order.history.get()
    assert (history.by, history.source) == (answer.context["user"], "admin")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"items-0-product": ""}, "required"),
        ({"items-0-quantity": 0}, "greater than or equal to 1"),
        ({"items-0-quantity": 1000}, "less than or equal to 999"),
        ({"scheduled_date": "2026-11-20"}, "is in the past"),
        ({"scheduled_date": "2028-01-01"}, "more than a year away"),
        ({"scheduled_date": "nonsense"}, "valid date"),
        ({"customer": "abc"}, "valid choice"),
        ({"customer": "9" * 40}, "valid choice"),
        ({"items-0-product": "\0"}, "Null characters"),
        ({"notes": "\0"}, "Null characters"),
        ({"inactive": ""}, "This customer is deactivated. Please activate the customer first."),
    ],
)
def test_invalid_new_order_shows_form_errors(office: Browser, wrong: dict[str, Any], message: str) -> None:
    right = {
        "customer": make_customer(is_active="inactive" not in wrong).pk,
        "items-0-product": make_product().pk,
        "items-0-quantity": 2,
    }
    assert message in "".join(form_errors(add_order(office, **(right | wrong))))
    assert not Order.objects.exists()


def test_inactive_product_is_offered_only_in_order_that_has_it(office: Browser) -> None:
    make_product(name="停售瓦斯桶", is_active=False)
    assert "停售瓦斯桶" not in office.get(ADD)
    product = make_product(name="舊瓦斯桶")
    order = make_order(product=product)
    product.is_active = False
    product.save()
    assert "舊瓦斯桶" in office.get(change_url("order", order.pk))


def test_saving_changed_fields_increments_version(office: Browser) -> None:
    order = make_order()
    answer = save(office, order, notes="後門進", priority="urgent")
    order.refresh_from_db()
    assert answer.redirect_chain == [(LIST, 302)]
    assert (order.notes, order.priority, order.version) == ("後門進", "urgent", 2)


def test_saving_unchanged_form_keeps_version(office: Browser) -> None:
    order = make_order(eta=datetime(2026, 11, 23, 2, 0, 30, 500_000, tzinfo=UTC))
    save(office, order)
    assert Order.objects.get(pk=order.pk).version == 1


@pytest.mark.parametrize(
    ("before", "submitted", "after"),
    [
        ("confirmed", {"driver": True}, OrderStatus.ASSIGNED), ("assigned", {"driver": True}, OrderStatus.ASSIGNED),
        ("assigned", {"driver": ""}, OrderStatus.CONFIRMED),
        ("confirmed", {"route": True, "stop_sequence": 3}, OrderStatus.ASSIGNED),
    ],
)  # fmt: skip
def test_form_assigns_and_unassigns_driver(office: Browser, before: str, submitted: dict[str, Any], after: str) -> None:
    """In the parameters, True stands for another driver or that driver's route."""
    order, driver = make_order(before), make_driver()
    rows = {"driver": driver.pk, "route": make_route(driver=driver).pk}
    save(office, order, **{name: rows[name] if value is True else value for name, value in submitted.items()})
    order.refresh_from_db()
    assert (order.status, order.driver) == (after, None if submitted.get("driver") == "" else driver)
    assert order.stop_sequence == submitted.get("stop_sequence")
    last = order.history.last()
    assert last is not None
    assert (last.to_status, last.source) == (after, "admin")


def test_inactive_driver_is_refused(office: Browser) -> None:
    driver = make_driver(is_active=False)
    order = make_order("confirmed")
    assert "valid choice" in "".join(form_errors(save(office, order, driver=driver.pk)))
    assert Order.objects.get(pk=order.pk).status == OrderStatus.CONFIRMED


@pytest.mark.parametrize("status", ["pending", "delivering", "failed"])
def test_driver_is_read_only_unless_confirmed_or_assigned(office: Browser, status: str) -> None:
    assert "driver" not in office.form(change_url("order", make_order(status).pk), "order_form")


def test_refusal_shows_field_error_and_saves_nothing(office: Browser) -> None:
    order, route = make_order("assigned"), make_route(driver=make_driver())
    answer = save(office, order, driver=make_driver().pk, route=route.pk, notes="新")
    assert form_errors(answer) == [
        "This route and this order have different drivers. Please choose another route or driver."
    ]
    assert "route" in answer.context["adminform"].form.errors
    order.refresh_from_db()
    assert (order.route, order.notes, order.version) == (None, "", 3)


@pytest.mark.parametrize("status", ["delivered", "cancelled"])
def test_only_notes_of_closed_order_can_change(office: Browser, status: str) -> None:
    order = make_order(status)
    form = office.form(change_url("order", order.pk), "order_form")
    assert {name for name in form if "-" not in name and not name.startswith("csrf")} == {"opened_version", "notes"}
    save(office, order, notes="鄰居代收", scheduled_date="2026-11-25", customer=make_customer().pk)
    after = Order.objects.get(pk=order.pk)
    assert (after.notes, after.scheduled_date, after.customer) == ("鄰居代收", TODAY, order.customer)


def item_rows(order: Order) -> list[tuple[int, int, int]]:
    return [(item.product_id, item.quantity, item.unit_price) for item in order.items.all()]


def new_line(product: int, quantity: int, at: int = 1) -> dict[str, Any]:
    """The fields of a new line, as the page's script adds them."""
    return {
        "items-TOTAL_FORMS": at + 1, f"items-{at}-product": product, f"items-{at}-quantity": quantity,
    }  # fmt: skip


def test_quantity_change_updates_amount_in_one_version(office: Browser) -> None:
    order = make_order()
    save(office, order, **{"items-0-quantity": 3, "notes": "新"})
    order.refresh_from_db()
    assert (order.amount_due, order.version, order.notes) == (2400, 2, "新")


def test_existing_line_keeps_its_price(office: Browser) -> None:
    product = make_product(price=800)
    order = make_order(product=product)
    product.price = 900
    product.save()
    save(office, order, **{"items-0-quantity": 2, "items-0-unit_price": 1})
    assert item_rows(order) == [(product.pk, 2, 800)]


def test_new_line_gets_todays_price(office: Browser) -> None:
    order, product = make_order(), make_product(price=650)
    save(office, order, **new_line(product.pk, 2))
    order.refresh_from_db()
    assert item_rows(order)[1] == (product.pk, 2, 650)
    assert order.amount_due == 800 + 1300


def test_line_can_be_deleted(office: Browser) -> None:
    order, other = make_order(), make_product()
    remaining = OrderItem.objects.create(order=order, product=other, quantity=1)
    save(office, order, **{"items-0-DELETE": "on"})
    assert [pk for pk, _, _ in item_rows(order)] == [remaining.product_id]


@pytest.mark.parametrize(
    "wrong",
    [
        {"items-0-DELETE": "on"}, {"lines": 1}, {"lines": 21},
        {"items-TOTAL_FORMS": "abc"}, {"items-TOTAL_FORMS": ""}, {"items-0-id": "9" * 30},
        {"opened_version": ""}, {"opened_version": "abc"}, {"opened_version": "9" * 40}, {"opened_version": "-1"},
        {"stop_sequence": 0}, {"stop_sequence": 1000}, {"eta_0": "9999-12-31", "eta_1": "23:59"},
    ],
)  # fmt: skip
def test_invalid_form_saves_nothing(office: Browser, wrong: dict[str, Any]) -> None:
    """`lines` is the number of lines to add. The first has the product that is already in the order."""
    order = make_order(notes="舊")
    submitted = dict(wrong)
    products = [order.items.get().product_id, *(make_product().pk for _ in range(submitted.get("lines", 1) - 1))]
    for at, product in enumerate(products[: submitted.pop("lines", 0)], 1):
        submitted |= new_line(product, 1, at)
    assert save(office, order, notes="新", **submitted).status_code == 200
    assert item_rows(order) == [(products[0], 1, 800)]
    assert (Order.objects.get().version, Order.objects.get().notes) == (1, "舊")


@pytest.mark.parametrize("status", list(OrderStatus))
def test_items_are_editable_until_driver_sets_out(office: Browser, status: OrderStatus) -> None:
    order = make_order(status)
    is_open = status in (OrderStatus.PENDING, OrderStatus.CONFIRMED, OrderStatus.ASSIGNED)
    assert ("items-0-quantity" in office.form(change_url("order", order.pk), "order_form")) == is_open
    save(office, order, notes="新", **{"items-0-quantity": 5})
    assert item_rows(order)[0][1] == (5 if is_open else 1)
    assert Order.objects.get(pk=order.pk).notes == "新"


def test_stale_form_is_refused(office: Browser) -> None:
    order = make_order(notes="舊")
    path = change_url("order", order.pk)
    opened = office.form(path, "order_form")
    Order.objects.get(pk=order.pk).transition_to(OrderStatus.CONFIRMED)
    answer = office.post(path, opened | {"notes": "新", "items-0-quantity": 9})
    order.refresh_from_db()
    assert 'name="opened_version" value="1"' in answer.content.decode()  # the form that is shown again is still stale
    assert "This order was changed after you opened it" in "".join(form_errors(answer))
    assert (order.status, order.notes, order.version) == ("confirmed", "舊", 2)
    assert order.items.get().quantity == 1


@pytest.mark.django_db(transaction=True)
def test_concurrent_saves_accept_one() -> None:
    order = make_order()
    path = change_url("order", order.pk)
    browsers = [sign_in(make_office()) for _ in range(4)]
    forms = [browser.form(path, "order_form") for browser in browsers]

    def post(index: int) -> int:
        return browsers[index].client.post(path, forms[index] | {"notes": f"第{index}位"}).status_code

    assert sorted(run_concurrently(post, range(4))) == [200, 200, 200, 302]
    assert Order.objects.get(pk=order.pk).version == 2
