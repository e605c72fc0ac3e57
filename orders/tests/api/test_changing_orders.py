from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from orders.models import Order, Priority
from orders.states import OrderStatus
from orders.tests.api.client import Api, codes, make_api
from orders.tests.factories import (
    make_customer,
    make_driver,
    make_order,
    make_product,
    make_route,
    make_user,
)
from orders.tests.threads import run_concurrently

pytestmark = pytest.mark.django_db


def test_office_changes_columns_in_one_version() -> None:
    order, api = make_order(), make_api("office")
    answer = api.patch(f"orders/{order.pk}/", {"notes": "後門", "priority": "urgent", "version": 1})
    order.refresh_from_db()
    assert (answer.status_code, answer["ETag"]) == (200, '"2"')
    assert (order.notes, order.priority, order.version) == ("後門", Priority.URGENT, 2)


def test_existing_item_keeps_its_price() -> None:
    product, other = make_product(price=800), make_product(price=500)
    order = make_order(product=product)
    product.price = 900
    product.save()
    items = [{"product": product.pk, "quantity": 3}, {"product": other.pk, "quantity": 1}]
    answer = make_api("office").patch(f"orders/{order.pk}/", {"items": items})
    order.refresh_from_db()
    assert (order.amount_due, order.version) == (3 * 800 + 500, 2)
    assert [item["unit_price"] for item in answer.json()["items"]] == [800, 500]


def test_omitted_item_is_deleted() -> None:
    order, other = make_order(), make_product(price=500)
    make_api("office").patch(f"orders/{order.pk}/", {"items": [{"product": other.pk, "quantity": 1}]})
    assert [item.product for item in order.items.all()] == [other]


@pytest.mark.parametrize("missing", ["product", "quantity"])
def test_incomplete_item_is_refused_in_patch(missing: str) -> None:
    order, product = make_order(), make_product()
    item = {"product": product.pk, "quantity": 1}
    del item[missing]
    answer = make_api("office").patch(f"orders/{order.pk}/", {"items": [item]})
    assert (answer.status_code, codes(answer)) == (400, [("required", f"items.0.{missing}")])


def test_stale_version_in_patch_is_409_with_current_version() -> None:
    order = make_order(OrderStatus.CONFIRMED)
    answer = make_api("office").patch(f"orders/{order.pk}/", {"notes": "late", "version": 1})
    assert (answer.status_code, codes(answer), answer["ETag"]) == (409, [("version_conflict", "version")], '"2"')
    assert "2" in answer.json()["errors"][0]["detail"]
    assert Order.objects.get().notes == ""


@pytest.mark.parametrize(
    ("before", "payload", "after"),
    [
        (OrderStatus.CONFIRMED, {"driver": True, "notes": "快"}, OrderStatus.ASSIGNED),
        (OrderStatus.ASSIGNED, {"driver": True}, OrderStatus.ASSIGNED),
        (OrderStatus.ASSIGNED, {"driver": None}, OrderStatus.CONFIRMED),
        (OrderStatus.CONFIRMED, {"route": True, "stop_sequence": 3}, OrderStatus.ASSIGNED),
    ],
)
def test_patch_assigns_and_unassigns_driver(before: str, payload: dict[str, Any], after: str) -> None:
    """In the parameters, True stands for another driver or that driver's route."""
    order, driver = make_order(before), make_driver()
    rows = {"driver": driver.pk, "route": make_route(driver=driver).pk}
    payload = {name: rows[name] if value is True else value for name, value in payload.items()}
    body = make_api("office").patch(f"orders/{order.pk}/", payload).json()
    assert {name: body[name] for name in payload} == payload
    assert (body["status"], body["driver"]) == (after, payload.get("driver", driver.pk))


def test_patch_is_all_or_nothing() -> None:
    order = make_order()
    answer = make_api("office").patch(f"orders/{order.pk}/", {"notes": "x", "driver": make_driver().pk})
    assert (answer.status_code, codes(answer)) == (409, [("invalid_transition", "status")])
    assert Order.objects.get().notes == ""


def test_route_of_other_driver_is_refused_on_the_road() -> None:
    order, route = make_order(OrderStatus.DELIVERING), make_route(driver=make_driver())
    answer = make_api("office").patch(f"orders/{order.pk}/", {"route": route.pk})
    assert (answer.status_code, codes(answer)) == (409, [("route_of_other_driver", "route")])


def test_only_notes_of_closed_order_can_change() -> None:
    order, api = make_order(OrderStatus.DELIVERED), make_api("office")
    assert api.patch(f"orders/{order.pk}/", {"notes": "少一桶"}).status_code == 200
    assert codes(api.patch(f"orders/{order.pk}/", {"priority": "urgent"})) == [("order_closed", "priority")]


def test_order_with_past_date_can_change() -> None:
    order = make_order(scheduled_date=timezone.localdate() - timedelta(days=3))
    payload = {"scheduled_date": str(order.scheduled_date), "notes": "x"}
    assert make_api("office").patch(f"orders/{order.pk}/", payload).status_code == 200


@pytest.mark.parametrize(
    ("payload", "code", "attr"),
    [
        ({"eta": "0001-01-01T00:00:00+08:00"}, "overflow", "eta"),
        ({"eta": "2001-01-01T00:00:00+08:00"}, "far", "eta"),
        ({"eta": "9999-12-31T23:59:59Z"}, "overflow", "eta"),
        ({"eta": 5}, "invalid", "eta"),
        ({"stop_sequence": 70_000}, "max_value", "stop_sequence"),
        ({"driver": 0}, "does_not_exist", "driver"),
        ({"version": "x"}, "invalid", "version"),
        ({"status": "delivered"}, "unknown_field", "status"),
        ({"delivery_address": ""}, "blank", "delivery_address"),
        ({"notes": None}, "null", "notes"),
    ],
)
def test_invalid_change_is_refused(payload: dict[str, Any], code: str, attr: str) -> None:
    order = make_order()
    answer = make_api("office").patch(f"orders/{order.pk}/", payload)
    assert (answer.status_code, codes(answer)) == (400, [(code, attr)])


@pytest.mark.parametrize(
    ("role", "status", "payload", "found"),
    [
        ("customer", OrderStatus.PENDING, {"notes": "請打電話", "time_slot": "evening"}, (200, [])),
        ("customer", OrderStatus.PENDING, {"priority": "urgent"}, (403, [("forbidden", "priority")])),
        ("customer", OrderStatus.CONFIRMED, {"notes": "x"}, (403, [("forbidden", None)])),
        ("driver", OrderStatus.ASSIGNED, {"notes": "x"}, (403, [("forbidden", None)])),
    ],
)
def test_changeable_fields_depend_on_role_and_status(
    role: str, status: str, payload: dict[str, Any], found: tuple[int, list[Any]]
) -> None:
    customer, driver = make_customer(user=make_user()), make_driver()
    order = make_order(status, customer=customer, driver=driver if role == "driver" else None)
    answer = Api(driver.user if role == "driver" else customer.user).patch(f"orders/{order.pk}/", payload)
    assert (answer.status_code, codes(answer) if answer.status_code >= 400 else []) == found
    other = make_api(role)
    assert other.get(f"orders/{order.pk}/").status_code == 404
    # Drivers cannot edit orders.
    assert other.patch(f"orders/{order.pk}/", payload).status_code == (403 if role == "driver" else 404)


@pytest.mark.django_db(transaction=True)
def test_concurrent_changes_of_one_version_accept_one() -> None:
    order, clerks = make_order(), [make_api("office") for _ in range(8)]

    def change(api: Api) -> Any:
        return api.patch(f"orders/{order.pk}/", {"notes": str(api.user), "version": 1}).status_code

    assert sorted(run_concurrently(change, clerks)) == [200, *[409] * 7]
    assert Order.objects.get().version == 2
