from __future__ import annotations

from typing import Any

import pytest
from django.db import transaction
from django.urls import reverse

from catalogue.models import Product
from orders.tests.admin.browser import Browser, change_url, form_errors, sign_in
from orders.tests.factories import make_office, make_product, make_staff
from orders.tests.threads import in_thread

pytestmark = pytest.mark.django_db


def correct_stock(office: Browser, product: Product, cylinders: object, note: str = "盤點") -> Any:
    path = reverse("admin:catalogue_product_stock", args=[product.pk])
    return office.post(path, {"cylinders": cylinders, "note": note})


@pytest.mark.parametrize(("cylinders", "left"), [(5, 105), (-3, 97), (-101, -1)])
def test_stock_is_corrected_by_a_difference(office: Browser, cylinders: int, left: int) -> None:
    product = make_product(stock=100)
    correct_stock(office, product, cylinders)
    product.refresh_from_db()
    assert product.stock == left


def test_correction_is_logged_with_note(office: Browser) -> None:
    product = make_product(stock=100)
    correct_stock(office, product, -3, "三桶破損")
    shown = office.get(reverse("admin:catalogue_product_history", args=[product.pk]))
    assert "三桶破損" in shown
    assert "Stock changed by -3 to 97." in shown


@pytest.mark.parametrize("cylinders", [0, "", "abc", 1_000_001, 999_901, "9" * 40])
def test_invalid_correction_changes_nothing(office: Browser, cylinders: object) -> None:
    product = make_product(stock=100)
    assert 'class="errorlist"' in correct_stock(office, product, cylinders).content.decode()
    assert Product.objects.get().stock == 100


def test_correction_needs_note(office: Browser) -> None:
    product = make_product(stock=100)
    correct_stock(office, product, 5, "")
    assert Product.objects.get().stock == 100


def test_correction_needs_permission() -> None:
    product = make_product(stock=100)
    assert correct_stock(sign_in(make_staff("clerk")), product, 5).status_code == 403
    assert Product.objects.get().stock == 100


def test_form_does_not_change_stock(office: Browser) -> None:
    product = make_product(stock=100)
    path = change_url("product", product.pk)
    form = office.form(path, "product_form")
    Product.add_stock(product.pk, -3)
    office.post(path, form | {"price": 880, "stock": 500})
    product.refresh_from_db()
    assert (product.price, product.stock) == (880, 97)


@pytest.mark.django_db(transaction=True)
def test_form_saved_during_delivery_waits_and_keeps_stock() -> None:
    browser, product = sign_in(make_office()), make_product(stock=100)
    path = change_url("product", product.pk)
    form = browser.form(path, "product_form")
    with transaction.atomic():
        Product.add_stock(product.pk, -3)
        saving = in_thread(lambda: browser.post(path, form | {"price": 880}))
        saving.wait(0.5)  # enough time to read the row, if the request did not wait for the lock
    saving.join()
    product.refresh_from_db()
    assert (product.price, product.stock) == (880, 97)


@pytest.mark.parametrize(
    "wrong", [{"price": 10_000_001}, {"price": -1}, {"cylinder_kg": 0}, {"cylinder_kg": 1001}, {"code": ""}]
)
def test_invalid_product_shows_error(office: Browser, wrong: dict[str, Any]) -> None:
    product = make_product()
    path = change_url("product", product.pk)
    assert form_errors(office.post(path, office.form(path, "product_form") | wrong))


def test_list_warns_of_low_stock(office: Browser) -> None:
    make_product(stock=3, low_stock_threshold=5)
    assert '<span class="badge bad">3</span>' in office.get(reverse("admin:catalogue_product_changelist"))
