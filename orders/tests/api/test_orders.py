"""Moving orders: status, confirm-delivery, bulk-update; and who may call what."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from orders.models import Order, OrderStatusChange, Priority
from orders.states import Status
from orders.tests.api.client import Api, codes, make_api
from orders.tests.factories import make_customer, make_driver, make_order, make_staff, make_user

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "path", ["orders/{}/", "customers/1/", "products/1/", "drivers/1/", "routes/1/", "orders/", "orders/bulk-update/"]
)
def test_nothing_is_deleted_or_put(path: str) -> None:
    api = make_api("office")
    target = "/api/v1/" + path.format(make_order().pk)
    for method in (api.client.delete, api.client.put, api.client.options):
        answer = method(target)
        assert (answer.status_code, codes(answer)) == (405, [("method_not_allowed", None)])


def test_driver_moves_an_own_order() -> None:
    driver = make_driver()
    order = make_order(Status.ASSIGNED, driver=driver)
    answer = Api(driver.user).patch(f"orders/{order.pk}/status/", {"status": "delivering", "version": order.version})
    row = OrderStatusChange.objects.last()
    assert row is not None
    assert (answer.status_code, answer.json()["status"], answer.json()["version"]) == (200, "delivering", row.version)
    assert (row.by, row.source, row.to_status) == (driver.user, "rest", "delivering")


@pytest.mark.parametrize(
    ("role", "before", "said", "found"),
    [
        ("office", Status.PENDING, {"status": "delivered"}, (409, [("invalid_transition", "status")])),
        ("office", Status.PENDING, {"status": "cancelled"}, (400, [("reason_required", "reason")])),
        ("office", Status.CONFIRMED, {"status": "assigned"}, (400, [("driver_required", "driver")])),
        ("office", Status.CONFIRMED, {"status": "assigned", "driver": True}, (200, [])),
        ("customer", Status.PENDING, {"status": "confirmed"}, (403, [("forbidden", "status")])),
        ("customer", Status.PENDING, {"status": "cancelled", "reason": "買錯"}, (200, [])),
    ],
)
def test_which_moves_are_made(role: str, before: str, said: dict[str, Any], found: tuple[int, list[Any]]) -> None:
    customer = make_customer(user=make_user())
    order, api = make_order(before, customer=customer), Api(customer.user) if role == "customer" else make_api(role)
    answer = api.patch(f"orders/{order.pk}/status/", said | ({"driver": make_driver().pk} if "driver" in said else {}))
    is_made = answer.status_code == 200
    assert (answer.status_code, [] if is_made else codes(answer)) == found
    assert Order.objects.get().status == (said["status"] if is_made else before)


def test_a_move_on_an_old_version_is_409_with_the_present_one() -> None:
    order = make_order(Status.CONFIRMED)
    answer = make_api("office").patch(
        f"orders/{order.pk}/status/", {"status": "cancelled", "reason": "x", "version": 1}
    )
    assert (answer.status_code, codes(answer), answer["ETag"]) == (409, [("version_conflict", "version")], '"2"')


def test_a_repeated_ref_gets_the_same_answer_and_is_not_done_twice() -> None:
    order, api = make_order(), make_api("office")
    said = {"status": "confirmed", "ref": "a1"}
    first = api.patch(f"orders/{order.pk}/status/", said)
    order.transition_to(Status.CANCELLED, reason="x")
    again = api.patch(f"orders/{order.pk}/status/", said)
    assert (again.status_code, again.json(), again["ETag"]) == (200, first.json(), first["ETag"])
    assert order.history.count() == 3


def test_a_ref_is_answered_after_the_order_went_to_another_driver() -> None:
    driver = make_driver()
    order, api = make_order(Status.ARRIVING, driver=driver), Api(driver.user)
    said = {"confirmation_type": "manual", "ref": "d-1"}
    first = api.post(f"orders/{order.pk}/confirm-delivery/", said)
    order.transition_to(Status.CANCELLED, reason="測試")
    order.driver = make_driver()
    order.save()
    assert api.get(f"orders/{order.pk}/").status_code == 404
    again = api.post(f"orders/{order.pk}/confirm-delivery/", said)
    assert (again.status_code, again.json(), again["ETag"]) == (200, first.json(), first["ETag"])
    for other in ({"ref": "d-2"}, {}):
        answer = api.patch(f"orders/{order.pk}/status/", {"status": "delivered"} | other)
        assert codes(answer) == [("not_found", None)]
    stranger = make_api("driver").post(f"orders/{order.pk}/confirm-delivery/", said)
    assert stranger.status_code == 404


def test_a_move_without_signal_tells_when_it_happened() -> None:
    order = make_order(Status.ASSIGNED, created_at=timezone.now() - timedelta(hours=2))
    at = timezone.now() - timedelta(hours=1)
    make_api("office").patch(f"orders/{order.pk}/status/", {"status": "delivering", "at": at.isoformat()})
    row = order.history.last()
    assert row is not None
    assert row.at == at


def test_confirm_delivery_writes_the_proof_and_moves() -> None:
    driver = make_driver()
    order = make_order(Status.ARRIVING, driver=driver, quantity=3)
    product = order.items.get().product
    said = {
        "confirmation_type": "qr_code", "cylinder_serials": ["ＣＹＬ789", "cyl789 "],
        "quantities": {str(product.pk): 2},
        "amount_collected": 1600, "ref": "d-1", "latitude": 25.03, "longitude": 121.56,
    }  # fmt: skip
    answer = Api(driver.user).post(f"orders/{order.pk}/confirm-delivery/", said)
    order.refresh_from_db()
    product.refresh_from_db()
    proof = order.confirmations.get()
    assert (answer.status_code, answer.json()["status"]) == (200, "delivered")
    assert (order.status, order.amount_collected, product.stock) == (Status.DELIVERED, 1600, 98)
    assert (proof.confirmation_type, proof.cylinder_serials, proof.latitude) == ("qr_code", ["CYL789"], 25.03)


@pytest.mark.parametrize(
    ("said", "code", "attr"),
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
def test_a_wrong_confirmation_is_refused(said: dict[str, Any], code: str, attr: str) -> None:
    order = make_order(Status.ARRIVING)
    answer = make_api("office").post(f"orders/{order.pk}/confirm-delivery/", said)
    assert (answer.status_code, codes(answer)) == (400, [(code, attr)])
    assert Order.objects.get().status == Status.ARRIVING


def test_bulk_update_takes_each_order_on_its_own_merit() -> None:
    good, bad = make_order(), make_order(Status.CANCELLED)
    answer = make_api("office").post("orders/bulk-update/", {"ids": [good.pk, bad.pk, 10**18], "status": "confirmed"})
    body = answer.json()
    assert (answer.status_code, body["updated"]) == (200, [good.pk])
    assert [(row["id"], row["code"]) for row in body["failed"]] == [
        (bad.pk, "invalid_transition"), (10**18, "not_found"),
    ]  # fmt: skip


def test_of_many_orders_a_clerk_takes_no_delivery_back() -> None:
    order = make_order(Status.DELIVERED)
    said = {"ids": [order.pk], "status": "cancelled", "reason": "x"}
    refused = Api(make_staff("clerk")).post("orders/bulk-update/", said).json()
    assert (refused["updated"], [failure["code"] for failure in refused["failed"]]) == ([], ["forbidden"])
    assert Api(make_staff("manager")).post("orders/bulk-update/", said).json()["updated"] == [order.pk]


def test_bulk_update_names_the_version_it_read() -> None:
    order = make_order()
    said = {"ids": [order.pk], "versions": {str(order.pk): order.version}}
    api = make_api("office")
    assert api.post("orders/bulk-update/", said | {"priority": "urgent"}).json()["updated"] == [order.pk]
    refused = api.post("orders/bulk-update/", said | {"status": "confirmed"}).json()["failed"]
    assert [row["code"] for row in refused] == ["version_conflict"]
    assert Order.objects.get().status == Status.PENDING


@pytest.mark.parametrize(
    ("said", "code", "attr"),
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
def test_a_wrong_bulk_update_is_refused(said: dict[str, Any], code: str, attr: str) -> None:
    answer = make_api("office").post("orders/bulk-update/", said)
    assert (answer.status_code, codes(answer)) == (400, [(code, attr)])


def test_urgent_are_the_open_ones() -> None:
    make_order()
    make_order(Status.CANCELLED, priority=Priority.URGENT)
    order = make_order(priority=Priority.URGENT)
    rows = make_api("office").get("orders/urgent/").json()["results"]
    assert [row["id"] for row in rows] == [order.pk]


@pytest.mark.parametrize("pk", ["0", "999999", str(10**30), "9" * 5000, "x", "%00", "-1", "1.5"])
def test_an_order_that_is_not_there_is_404(pk: str) -> None:
    api = make_api("office")
    for answer in (api.get(f"orders/{pk}/"), api.patch(f"orders/{pk}/status/", {"status": "confirmed"})):
        assert (answer.status_code, codes(answer)) == (404, [("not_found", None)])


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(
    ["customer", "items", "scheduled_date", "time_slot", "delivery_address", "notes", "priority", "status", "reason",
     "version", "at", "ref", "driver"]
)  # fmt: skip
BODIES = VALUES | st.dictionaries(NAMES, VALUES, max_size=5)


@pytest.mark.long
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=BODIES)
@example(body={"items": [{}]})
def test_no_body_makes_a_500(body: Any, db: None) -> None:
    order, api = make_order(), make_api("office")
    answers = [
        api.post("orders/", body),
        api.patch(f"orders/{order.pk}/", body),
        api.patch(f"orders/{order.pk}/status/", body),
        api.post("orders/bulk-update/", body),
        api.post(f"orders/{order.pk}/confirm-delivery/", body),
    ]
    assert [answer.status_code for answer in answers if answer.status_code >= 500] == []


def test_a_session_is_a_page_and_a_token_a_program() -> None:
    order, api = make_order(), make_api("office")
    api.patch(f"orders/{order.pk}/status/", {"status": "confirmed"})
    assert api.user is not None
    page = Client()
    page.force_login(api.user)
    said = {"status": "cancelled", "reason": "改日"}
    page.patch(f"/api/v1/orders/{order.pk}/status/", said, content_type="application/json")
    moves = order.history.exclude(from_status="").values_list("to_status", "source")
    assert list(moves) == [("confirmed", "rest"), ("cancelled", "page")]
