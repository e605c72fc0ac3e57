from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from catalogue.models import Product
from customers.models import Customer
from dispatch.models import Driver
from orders.admin import order_moves
from orders.tests.admin.browser import Browser, admin_url, change_url, form_errors, shown_messages, sign_in
from orders.tests.factories import make_customer, make_driver, make_order, make_product, make_route, make_staff
from web import admin
from web.admin import EDIT_CONFLICT

pytestmark = pytest.mark.django_db


MODELS = ["order", "customer", "product", "driver", "route"]
MAKERS: dict[str, Any] = {
    "order": make_order, "customer": make_customer, "product": make_product, "driver": make_driver, "route": make_route,
}  # fmt: skip


def rows(model: str) -> str:
    return admin_url(model, "changelist")


@pytest.mark.parametrize("language", ["zh-hant", "en"])
@pytest.mark.parametrize("model", MODELS)
def test_list_change_and_add_pages_open(office: Browser, model: str, language: str) -> None:
    row = MAKERS[model]()
    for path in (rows(model), change_url(model, row.pk), admin_url(model, "add")):
        assert office.client.get(path, headers={"accept-language": language}).status_code == 200


def test_concurrent_edits_of_different_fields_are_merged(office: Browser) -> None:
    customer = make_customer(name="王", address="台北市大安區仁愛路1號", notes="三樓\r\n沒有電梯")
    path = change_url("customer", customer.pk)
    first, second = office.form(path, "customer_form"), office.form(path, "customer_form")
    del first["sms_delivered"]  # an unticked box
    office.post(path, first | {"name": "王太太", "language": "en"})
    office.post(path, second | {"address": "台北市大安區仁愛路2號", "notes": ""})
    customer.refresh_from_db()
    assert (customer.name, customer.language, customer.sms_delivered) == ("王太太", "en", False)
    assert (customer.address, customer.notes) == ("台北市大安區仁愛路2號", "")


def test_concurrent_edit_of_the_same_field_is_refused(office: Browser) -> None:
    product = make_product(price=760)
    path = change_url("product", product.pk)
    first, second = office.form(path, "product_form"), office.form(path, "product_form")
    office.post(path, first | {"price": 777})
    error_texts = form_errors(office.post(path, second | {"price": 770, "low_stock_threshold": 3}))
    assert error_texts == [str(EDIT_CONFLICT % {"now": 777})]
    product.refresh_from_db()
    assert (product.price, product.low_stock_threshold) == (777, make_product().low_stock_threshold)
    # Equal values are no conflict.
    assert office.post(path, second | {"price": 777, "low_stock_threshold": 3}).redirect_chain
    product.refresh_from_db()
    assert (product.price, product.low_stock_threshold) == (777, 3)


def test_changed_white_space_is_no_concurrent_edit(office: Browser) -> None:
    customer = make_customer(name="王 ", address="台北市大安區\n仁愛路1號", notes="三樓\n沒有電梯")
    path = change_url("customer", customer.pk)
    form = office.form(path, "customer_form")
    # Browsers remove line ends from a one-line input, and write them as \r\n in a text box.
    line, box = "台北市大安區仁愛路1號", "三樓\r\n沒有電梯"
    form |= {"address": line, "initial-address": line, "notes": box, "initial-notes": box}
    assert office.post(path, form | {"notes": f"{box}!", "name": "王小姐", "language": "en"}).redirect_chain
    customer.refresh_from_db()
    assert (customer.name, customer.notes, customer.language) == ("王小姐", f"{box}!", "en")
    assert customer.address == "台北市大安區\n仁愛路1號"


@pytest.mark.parametrize("model", MODELS)
def test_superuser_cannot_delete_rows(admin_client: Any, model: str) -> None:
    row = MAKERS[model]()
    assert admin_client.post(admin_url(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    admin_client.post(rows(model), {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"})
    assert type(row).objects.filter(pk=row.pk).exists()


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("query", ["q=%00", "q=" + "x" * 999, "o=abc", "p=abc", "id__exact=abc", "id=" + "9" * 40])
def test_malformed_query_string_is_no_500(office: Browser, model: str, query: str) -> None:
    MAKERS[model]()
    assert office.client.get(f"{rows(model)}?{query}", follow=True).status_code in (200, 400)


@pytest.mark.parametrize("query", ["year=9999", "year=0", "year=abc", "year=2026&{}__month=13", "year=" + "9" * 30])
@pytest.mark.parametrize(("model", "column"), [("order", "scheduled_date"), ("route", "date")])
def test_day_that_does_not_exist_is_no_500(office: Browser, model: str, column: str, query: str) -> None:
    MAKERS[model]()
    assert office.client.get(f"{rows(model)}?{column}__{query.format(column)}", follow=True).status_code == 200


@pytest.mark.parametrize("pk", ["abc", "9" * 40, "%00"])
def test_page_of_an_unknown_object_redirects(office: Browser, pk: str) -> None:
    assert office.client.get(f"{rows('order')}{pk}/change/").status_code == 302


@pytest.mark.parametrize(
    ("maker", "model"), [(make_customer, Customer), (make_product, Product), (make_driver, Driver)]
)
def test_deactivate_changes_selected_rows_and_shows_a_message(office: Browser, maker: Any, model: Any) -> None:
    row, other = maker(), maker()
    form_data = {"action": "deactivate", "_selected_action": [row.pk]}
    answer = office.post(rows(model._meta.model_name), form_data)
    assert shown_messages(answer) == [("success", f"{row} is no longer active.")]
    assert list(model.objects.filter(is_active=True)) == [other]


def test_deactivate_needs_the_right() -> None:
    driver = make_driver()
    browser = sign_in(make_staff("clerk"))
    browser.client.post(rows("driver"), {"action": "deactivate", "_selected_action": [driver.pk]})
    assert Driver.objects.get().is_active


def test_telephone_is_shown_in_local_and_stored_in_international_form(office: Browser) -> None:
    customer = make_customer(phone="0912-345-678", phone2="02-2930-0016 分機29")
    path = change_url("customer", customer.pk)
    form = office.form(path, "customer_form")
    assert (form["phone"], form["phone2"]) == ("0912-345-678", "02-2930-0016 分機29")
    office.post(path, form | {"name": "新名"})
    customer.refresh_from_db()
    assert (customer.name, customer.phone, customer.phone2) == ("新名", "+886912345678", "+886229300016;ext=29")


def test_invalid_telephone_is_an_error_and_stays_as_typed(office: Browser) -> None:
    path = change_url("customer", make_customer().pk)
    answer = office.post(path, office.form(path, "customer_form") | {"phone": "+8861"})
    shown = answer.content.decode()
    assert "“+8861” is not a telephone number" in shown
    assert 'value="+8861"' in shown


LIST = reverse("admin:orders_order_changelist")


@pytest.fixture
def _at_most_two_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (admin, order_moves):
        monkeypatch.setattr(module, "MAX_SHOWN", 2)


@pytest.mark.usefixtures("_at_most_two_are_shown")
def test_confirmation_page_lists_the_first_rows_and_counts_the_rest(office: Browser) -> None:
    orders = [make_order() for _ in range(5)]
    answer = office.post(LIST, {"action": "cancel", "_selected_action": [order.pk for order in orders]})
    shown = answer.content.decode()
    assert sum(order.order_number in shown for order in orders) == 2
    assert "and 3 more" in shown


@pytest.mark.usefixtures("_at_most_two_are_shown")
def test_message_about_refused_rows_lists_the_first_numbers(office: Browser) -> None:
    orders = [make_order("cancelled") for _ in range(3)]
    answer = office.post(LIST, {"action": "confirm", "_selected_action": [order.pk for order in orders]})
    (line,) = (text for _, text in shown_messages(answer) if "cannot become" in text)
    assert line.startswith(f"{orders[0]}, {orders[1]} …: ")


@pytest.mark.usefixtures("_at_most_two_are_shown")
def test_confirmation_page_escapes_names(office: Browser) -> None:
    order = make_order(customer=make_customer(name="<script>alert(1)</script>"))
    answer = office.post(LIST, {"action": "cancel", "_selected_action": [order.pk]})
    assert "&lt;script&gt;" in answer.content.decode()
    assert "<script>alert" not in answer.content.decode()
