from __future__ import annotations

from typing import Any

import pytest

from orders.models import Order
from orders.states import OrderStatus
from orders.tests.api.client import Api, codes, make_api
from orders.tests.factories import (
    make_order,
    make_staff,
)

pytestmark = pytest.mark.django_db


def test_bulk_update_handles_each_order_separately() -> None:
    good, bad = make_order(), make_order(OrderStatus.CANCELLED)
    answer = make_api("office").post("orders/bulk-update/", {"ids": [good.pk, bad.pk, 10**18], "status": "confirmed"})
    body = answer.json()
    assert (answer.status_code, body["updated"]) == (200, [good.pk])
    assert [(row["id"], row["code"]) for row in body["failed"]] == [
        (bad.pk, "invalid_transition"), (10**18, "not_found"),
    ]  # fmt: skip


def test_clerk_cannot_cancel_delivered_orders_in_bulk() -> None:
    order = make_order(OrderStatus.DELIVERED)
    payload = {"ids": [order.pk], "status": "cancelled", "reason": "x"}
    refused = Api(make_staff("clerk")).post("orders/bulk-update/", payload).json()
    assert (refused["updated"], [failure["code"] for failure in refused["failed"]]) == ([], ["forbidden"])
    assert Api(make_staff("manager")).post("orders/bulk-update/", payload).json()["updated"] == [order.pk]


def test_bulk_update_refuses_stale_versions() -> None:
    order = make_order()
    payload = {"ids": [order.pk], "versions": {str(order.pk): order.version}}
    api = make_api("office")
    assert api.post("orders/bulk-update/", payload | {"priority": "urgent"}).json()["updated"] == [order.pk]
    refused = api.post("orders/bulk-update/", payload | {"status": "confirmed"}).json()["failed"]
    assert [row["code"] for row in refused] == ["version_conflict"]
    assert Order.objects.get().status == OrderStatus.PENDING


@pytest.mark.parametrize(
    ("payload", "code", "attr"),
    [
        ({"ids": []}, "empty", "ids"),
        ({"ids": [1]}, "invalid", None),
        ({"ids": [1, 1], "priority": "urgent"}, "unique", "ids"),
        ({"ids": list(range(1, 1002)), "priority": "urgent"}, "max_length", "ids"),
        ({"ids": [-1], "priority": "urgent"}, "min_value", "ids.0"),
        ({"ids": [10**30], "priority": "urgent"}, "max_value", "ids.0"),
        ({"ids": "all", "priority": "urgent"}, "not_a_list", "ids"),
        ({"ids": [1], "status": "delivering", "driver": None}, "invalid", "driver"),
        ({"ids": [1], "scheduled_date": "tomorrow"}, "invalid", "scheduled_date"),
        ({"ids": [1], "notes": "x"}, "unknown_field", "notes"),
        ({"ids": [1], "versions": {"1": 2}}, "invalid", None),
        ({"ids": [1], "priority": "urgent", "versions": {"1": 0}}, "min_value", "versions.1"),
        ({"ids": [1], "priority": "urgent", "versions": {"one": 1}}, "invalid", "versions"),
    ],
)
def test_invalid_bulk_update_is_refused(payload: dict[str, Any], code: str, attr: str) -> None:
    answer = make_api("office").post("orders/bulk-update/", payload)
    assert (answer.status_code, codes(answer)) == (400, [(code, attr)])
