from __future__ import annotations

from collections.abc import Iterator

import pytest

from orders.models import Order
from orders.tests.api.client import Api, make_api
from orders.tests.factories import make_order
from realtime import log
from web import log_position

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _own_provider() -> Iterator[None]:
    log_position.provide(None)
    yield
    log_position.provide(log.position)


@pytest.mark.parametrize("path", ["orders/", "orders/{}/", "orders/statistics/", "customers/", "drivers/locations/"])
def test_every_get_returns_log_position(path: str) -> None:
    log_position.provide(lambda: log_position.Position(1042, "e1"))
    answer = make_api("office").get(path.format(make_order().pk))
    assert (answer.status_code, answer["Last-Event-Id"], answer["Last-Event-Epoch"]) == (200, "1042", "e1")


def test_log_position_is_read_before_rows() -> None:
    """An order that changes between the two reads gets a later position. Clients that resume get this change again."""
    order = make_order()

    def change_order_then_return_position() -> log_position.Position:
        changed = Order.objects.get(pk=order.pk)
        changed.notes = "changed"
        changed.save()
        return log_position.Position(7)

    log_position.provide(change_order_then_return_position)
    assert make_api("office").get(f"orders/{order.pk}/").json()["notes"] == "changed"


def test_response_without_provider_has_no_header() -> None:
    assert "Last-Event-Id" not in make_api("office").get("orders/").headers


def test_empty_log_sends_no_header() -> None:
    log_position.provide(lambda: None)
    assert "Last-Event-Id" not in make_api("office").get("orders/").headers


def test_refused_request_gets_no_log_position() -> None:
    log_position.provide(lambda: log_position.Position(1042))
    assert "Last-Event-Id" not in Api().get("orders/").headers
