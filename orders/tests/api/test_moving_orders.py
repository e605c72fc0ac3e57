from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from orders.models import Order, OrderStatusChange
from orders.states import OrderStatus
from orders.tests.api.client import Api, codes, make_api
from orders.tests.factories import (
    make_customer,
    make_driver,
    make_order,
    make_user,
)

pytestmark = pytest.mark.django_db


def test_driver_moves_own_order() -> None:
    driver = make_driver()
    order = make_order(OrderStatus.ASSIGNED, driver=driver)
    answer = Api(driver.user).patch(f"orders/{order.pk}/status/", {"status": "delivering", "version": order.version})
    row = OrderStatusChange.objects.last()
    assert row is not None
    assert (answer.status_code, answer.json()["status"], answer.json()["version"]) == (200, "delivering", row.version)
    assert (row.by, row.source, row.to_status) == (driver.user, "rest", "delivering")


@pytest.mark.parametrize(
    ("role", "before", "payload", "found"),
    [
        ("office", OrderStatus.PENDING, {"status": "delivered"}, (409, [("invalid_transition", "status")])),
        ("office", OrderStatus.PENDING, {"status": "cancelled"}, (400, [("reason_required", "reason")])),
        ("office", OrderStatus.CONFIRMED, {"status": "assigned"}, (400, [("driver_required", "driver")])),
        ("office", OrderStatus.CONFIRMED, {"status": "assigned", "driver": True}, (200, [])),
        ("customer", OrderStatus.PENDING, {"status": "confirmed"}, (403, [("forbidden", "status")])),
        ("customer", OrderStatus.PENDING, {"status": "cancelled", "reason": "買錯"}, (200, [])),
    ],
)
def test_move_depends_on_role_and_status(
    role: str, before: str, payload: dict[str, Any], found: tuple[int, list[Any]]
) -> None:
    customer = make_customer(user=make_user())
    order, api = make_order(before, customer=customer), Api(customer.user) if role == "customer" else make_api(role)
    answer = api.patch(
        f"orders/{order.pk}/status/", payload | ({"driver": make_driver().pk} if "driver" in payload else {})
    )
    is_made = answer.status_code == 200
    assert (answer.status_code, [] if is_made else codes(answer)) == found
    assert Order.objects.get().status == (payload["status"] if is_made else before)


def test_stale_version_is_409_with_current_version() -> None:
    order = make_order(OrderStatus.CONFIRMED)
    answer = make_api("office").patch(
        f"orders/{order.pk}/status/", {"status": "cancelled", "reason": "x", "version": 1}
    )
    assert (answer.status_code, codes(answer), answer["ETag"]) == (409, [("version_conflict", "version")], '"2"')


def test_repeated_ref_returns_same_answer_and_moves_once() -> None:
    order, api = make_order(), make_api("office")
    payload = {"status": "confirmed", "ref": "a1"}
    first = api.patch(f"orders/{order.pk}/status/", payload)
    order.transition_to(OrderStatus.CANCELLED, reason="x")
    again = api.patch(f"orders/{order.pk}/status/", payload)
    assert (again.status_code, again.json(), again["ETag"]) == (200, first.json(), first["ETag"])
    assert order.history.count() == 3


def test_repeated_ref_is_answered_after_reassignment() -> None:
    driver = make_driver()
    order, api = make_order(OrderStatus.ARRIVING, driver=driver), Api(driver.user)
    payload = {"confirmation_type": "manual", "ref": "d-1"}
    first = api.post(f"orders/{order.pk}/confirm-delivery/", payload)
    order.transition_to(OrderStatus.CANCELLED, reason="測試")
    order.driver = make_driver()
    order.save()
    assert api.get(f"orders/{order.pk}/").status_code == 404
    again = api.post(f"orders/{order.pk}/confirm-delivery/", payload)
    assert (again.status_code, again.json(), again["ETag"]) == (200, first.json(), first["ETag"])
    for other in ({"ref": "d-2"}, {}):
        answer = api.patch(f"orders/{order.pk}/status/", {"status": "delivered"} | other)
        assert codes(answer) == [("not_found", None)]
    stranger = make_api("driver").post(f"orders/{order.pk}/confirm-delivery/", payload)
    assert stranger.status_code == 404


def test_move_reported_later_records_when_it_happened() -> None:
    order = make_order(OrderStatus.ASSIGNED, created_at=timezone.now() - timedelta(hours=2))
    at = timezone.now() - timedelta(hours=1)
    make_api("office").patch(f"orders/{order.pk}/status/", {"status": "delivering", "at": at.isoformat()})
    row = order.history.last()
    assert row is not None
    assert row.at == at


def test_confirm_delivery_writes_the_proof_and_moves() -> None:
    driver = make_driver()
    order = make_order(OrderStatus.ARRIVING, driver=driver, quantity=3)
    product = order.items.get().product
    payload = {
        "confirmation_type": "qr_code", "cylinder_serials": ["ＣＹＬ789", "cyl789 "],
        "quantities": {str(product.pk): 2},
        "amount_collected": 1600, "ref": "d-1", "latitude": 25.03, "longitude": 121.56,
    }  # fmt: skip
    answer = Api(driver.user).post(f"orders/{order.pk}/confirm-delivery/", payload)
    order.refresh_from_db()
    product.refresh_from_db()
    proof = order.confirmations.get()
    assert (answer.status_code, answer.json()["status"]) == (200, "delivered")
    assert (order.status, order.amount_collected, product.stock) == (OrderStatus.DELIVERED, 1600, 98)
    assert (proof.confirmation_type, proof.cylinder_serials, proof.latitude) == ("qr_code", ["CYL789"], 25.03)


@pytest.mark.parametrize(
    ("payload", "code", "attr"),
    [
        ({}, "required", "confirmation_type"),
        ({"confirmation_type": "wink"}, "invalid_choice", "confirmation_type"),
        ({"confirmation_type": "manual", "quantities": {"x": 1}}, "invalid", "quantities"),
        ({"confirmation_type": "manual", "quantities": {"1": -1}}, "min_value", "quantities.1"),
        ({"confirmation_type": "manual", "quantities": {"999999": 1}}, "invalid_quantity", "quantities"),
        ({"confirmation_type": "manual", "amount_collected": -1}, "min_value", "amount_collected"),
        ({"confirmation_type": "manual", "latitude": "nan"}, "invalid", "latitude"),
        ({"confirmation_type": "manual", "cylinder_serials": ["x" * 41]}, "max_length", "cylinder_serials.0"),
        ({"confirmation_type": "manual", "cylinder_serials": ["x"] * 201}, "max_length", "cylinder_serials"),
        ({"confirmation_type": "manual", "confirmed_at": "2999-01-01T00:00:00Z"}, "invalid_time", "at"),
    ],
)
def test_invalid_confirmation_is_refused(payload: dict[str, Any], code: str, attr: str) -> None:
    order = make_order(OrderStatus.ARRIVING)
    answer = make_api("office").post(f"orders/{order.pk}/confirm-delivery/", payload)
    assert (answer.status_code, codes(answer)) == (400, [(code, attr)])
    assert Order.objects.get().status == OrderStatus.ARRIVING


def test_source_is_page_for_session_and_rest_for_token() -> None:
    order, api = make_order(), make_api("office")
    api.patch(f"orders/{order.pk}/status/", {"status": "confirmed"})
    assert api.user is not None
    page = Client()
    page.force_login(api.user)
    payload = {"status": "cancelled", "reason": "改日"}
    page.patch(f"/api/v1/orders/{order.pk}/status/", payload, content_type="application/json")
    moves = order.history.exclude(from_status="").values_list("to_status", "source")
    assert list(moves) == [("confirmed", "rest"), ("cancelled", "page")]
