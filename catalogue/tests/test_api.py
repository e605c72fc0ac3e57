from __future__ import annotations

import threading
from typing import Any
from unittest import mock

import pytest
from django.db import connection

from catalogue.api import PUBLIC_FIELDS, ProductSerializer
from catalogue.models import Product
from orders.tests.api.client import codes, make_api
from orders.tests.factories import make_product

pytestmark = pytest.mark.django_db

USUAL = {"code": "G20", "name": "20kg 瓦斯桶", "cylinder_kg": 20, "price": 800}


def test_office_creates_product() -> None:
    answer = make_api("office").post("products/", USUAL)
    assert (answer.status_code, Product.objects.get().price) == (201, 800)


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("price", -1, "min_value"), ("price", 10**30, "max_value"), ("price", 1.5, "invalid"),
        ("price", "x", "invalid"),
        ("stock", 10**9, "max_value"), ("cylinder_kg", 0, "min_value"), ("cylinder_kg", 70_000, "max_value"),
        ("code", "x" * 21, "max_length"), ("low_stock_threshold", -1, "min_value"),
        ("aliases", "x" * 2001, "max_length"),
    ],
)  # fmt: skip
def test_invalid_product_is_refused(field: str, value: Any, code: str) -> None:
    answer = make_api("office").post("products/", USUAL | {field: value})
    assert (answer.status_code, codes(answer)) == (400, [(code, field)])


def test_code_is_unique() -> None:
    make_product(code="G20")
    assert codes(make_api("office").post("products/", USUAL)) == [("unique", "code")]


@pytest.mark.parametrize("role", ["driver", "customer"])
def test_drivers_and_customers_see_active_products_without_stock(role: str) -> None:
    product = make_product()
    make_product(is_active=False)
    (row,) = make_api(role).get("products/").json()["results"]
    assert (row["id"], set(row)) == (product.pk, set(PUBLIC_FIELDS))


@pytest.mark.servers
@pytest.mark.django_db(transaction=True)
def test_price_change_keeps_stock_of_concurrent_delivery() -> None:
    """The request saves all columns. Without its lock on the row, it would undo the delivery."""
    product, api = make_product(stock=100), make_api("office")
    validate = ProductSerializer.validate

    def deliver() -> None:
        Product.add_stock(product.pk, -1)
        connection.close()

    delivery = threading.Thread(target=deliver)

    def deliver_between_reading_and_saving(self: Any, attrs: Any) -> Any:
        delivery.start()
        delivery.join(0.5)
        return validate(self, attrs)

    with mock.patch.object(ProductSerializer, "validate", deliver_between_reading_and_saving):
        api.patch(f"products/{product.pk}/", {"price": 900})
    delivery.join()
    product.refresh_from_db()
    assert (product.price, product.stock) == (900, 99)


def test_product_can_be_deactivated() -> None:
    product = make_product()
    make_api("office").patch(f"products/{product.pk}/", {"is_active": False})
    product.refresh_from_db()
    assert not product.is_active
