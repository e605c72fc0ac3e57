"""Placing, reading, changing and moving orders over REST, and who may call what."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from customers.models import Customer
from dispatch.models import Driver
from orders.models import ConfirmationType, Order, OrderStatusChange, Priority
from orders.models.order import Proof
from orders.states import OrderStatus
from orders.tests.api.client import Api, codes, make_api
from orders.tests.factories import (
    make_customer,
    make_driver,
    make_office,
    make_order,
    make_product,
    make_route,
    make_staff,
    make_user,
)
from orders.tests.threads import in_thread, run_concurrently

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "path", ["orders/{}/", "customers/1/", "products/1/", "drivers/1/", "routes/1/", "orders/", "orders/bulk-update/"]
)
def test_delete_and_put_are_not_allowed(path: str) -> None:
    api = make_api("office")
    target = "/api/v1/" + path.format(make_order().pk)
    for method in (api.client.delete, api.client.put, api.client.options):
        answer = method(target)
        assert (answer.status_code, codes(answer)) == (405, [("method_not_allowed", None)])


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


def test_offline_move_records_when_it_happened() -> None:
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


def test_urgent_lists_open_orders_only() -> None:
    make_order()
    make_order(OrderStatus.CANCELLED, priority=Priority.URGENT)
    order = make_order(priority=Priority.URGENT)
    rows = make_api("office").get("orders/urgent/").json()["results"]
    assert [row["id"] for row in rows] == [order.pk]


@pytest.mark.parametrize("pk", ["0", "999999", str(10**30), "9" * 5000, "x", "%00", "-1", "1.5"])
def test_unknown_order_is_404(pk: str) -> None:
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
def test_no_request_body_causes_500(body: Any, db: None) -> None:
    order, api = make_order(), make_api("office")
    answers = [
        api.post("orders/", body),
        api.patch(f"orders/{order.pk}/", body),
        api.patch(f"orders/{order.pk}/status/", body),
        api.post("orders/bulk-update/", body),
        api.post(f"orders/{order.pk}/confirm-delivery/", body),
    ]
    assert [answer.status_code for answer in answers if answer.status_code >= 500] == []


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


# Placing an order during a telephone call: with a new customer, and idempotent by `ref`.


NEW = {"name": "林太太", "phone": "0912 345 678", "address": "台北市大安區和平東路1號"}


def order(**fields: Any) -> dict[str, Any]:
    items = [{"product": make_product().pk, "quantity": 1}]
    return {"items": items, "scheduled_date": str(timezone.localdate())} | fields


def test_order_can_create_its_customer() -> None:
    answer = make_api("office").post("orders/", order(new_customer=NEW))
    assert answer.status_code == 201
    customer = Order.objects.get().customer
    assert (customer.name, customer.phone, customer.area) == ("林太太", "+886912345678", "大安區")
    assert Order.objects.get().delivery_address == NEW["address"]


@pytest.mark.parametrize(
    ("wrong", "attr"),
    [({"name": ""}, "new_customer.name"), ({"phone": "12"}, "new_customer.phone"), ({"user": 1}, "new_customer.user")],
)
def test_invalid_new_customer_refuses_order(wrong: dict[str, Any], attr: str) -> None:
    answer = make_api("office").post("orders/", order(new_customer=NEW | wrong))
    assert answer.status_code == 400
    assert [found for _, found in codes(answer)] == [attr]
    assert not Customer.objects.exists()


def test_refused_order_creates_no_customer() -> None:
    answer = make_api("office").post("orders/", order(new_customer=NEW, items=[{"product": 999, "quantity": 1}]))
    assert answer.status_code == 400
    assert not Customer.objects.exists()


def test_customer_together_with_new_customer_is_refused() -> None:
    answer = make_api("office").post("orders/", order(new_customer=NEW, customer=make_customer().pk))
    assert (answer.status_code, codes(answer)) == (400, [("invalid", None)])


def test_only_office_creates_customers() -> None:
    customer = make_customer(user=make_user())
    answer = Api(customer.user).post("orders/", order(new_customer=NEW))
    assert (answer.status_code, codes(answer)) == (403, [("forbidden", "new_customer")])


def test_repeated_ref_returns_the_order_it_created() -> None:
    api = make_api("office")
    payload = order(new_customer=NEW, ref="a-call")
    first, second = api.post("orders/", payload), api.post("orders/", payload)
    assert first.json() == second.json()
    assert (Order.objects.count(), Customer.objects.count()) == (1, 1)


def test_ref_is_unique_per_user() -> None:
    payload = order(customer=make_customer().pk, ref="a-call")
    for user in (make_office(), make_office()):
        Api(user).post("orders/", payload)
    assert Order.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_concurrent_requests_with_one_ref_create_one_order() -> None:
    api = make_api("office")
    payload = order(new_customer=NEW, ref="a-call")
    works = [in_thread(lambda: api.post("orders/", payload)) for _ in range(6)]
    for work in works:
        work.join()
    assert (Order.objects.count(), Customer.objects.count()) == (1, 1)


@pytest.mark.parametrize(
    "other", [{"time_slot": "evening"}, {"notes": "後門"}, {"priority": "urgent"}, {"delivery_address": "台北市1號"}]
)
def test_ref_reused_with_other_fields_is_refused(other: dict[str, Any]) -> None:
    api = make_api("office")
    payload = order(new_customer=NEW, ref="a-call", time_slot="morning")
    assert [api.post("orders/", payload).status_code for _ in range(2)] == [201, 201]
    assert codes(api.post("orders/", payload | other)) == [("ref_reused", "ref")]
    phone = NEW | {"phone": "0912 345 679"}
    assert codes(api.post("orders/", payload | {"new_customer": phone})) == [("ref_reused", "ref")]


@pytest.mark.parametrize("other", [{"quantity": 2}, {"name": "別人"}, {"days": 1}])
def test_ref_reused_for_different_order_is_refused(other: dict[str, Any]) -> None:
    api = make_api("office")
    payload = order(new_customer=NEW, ref="a-call")
    api.post("orders/", payload)
    changed = payload | {"new_customer": NEW | {"name": other.get("name", NEW["name"])}}
    changed["items"] = [payload["items"][0] | {"quantity": other.get("quantity", 1)}]
    changed["scheduled_date"] = str(timezone.localdate() + timedelta(days=other.get("days", 0)))
    answer = api.post("orders/", changed)
    assert (answer.status_code, codes(answer)) == (409, [("ref_reused", "ref")])
    assert Order.objects.count() == 1


# Placing and changing orders.


def new_order(**fields: Any) -> dict[str, Any]:
    usual = {"items": [{"product": make_product(price=800).pk, "quantity": 2}], "scheduled_date": str(tomorrow())}
    return usual | fields


def tomorrow() -> date:
    return timezone.localdate() + timedelta(days=1)


def test_office_places_an_order() -> None:
    customer, api = make_customer(), make_api("office")
    payload = new_order(customer=customer.pk, time_slot="morning", notes="後門", priority="urgent")
    answer = api.post("orders/", payload)
    order = Order.objects.get()
    assert (answer.status_code, answer.json()["id"], answer["ETag"]) == (201, order.pk, '"1"')
    assert (order.customer, order.status, order.amount_due, order.time_slot) == (customer, "pending", 1600, "morning")
    assert order.version == 1
    assert order.history.get().by == api.user


@pytest.mark.parametrize(
    ("field", "value", "code", "attr"),
    [
        ("items", [], "empty", "items"),
        ("items", "x", "not_a_list", "items"),
        ("items", [{"product": 0, "quantity": 1}], "min_value", "items.0.product"),
        ("items", [{"product": 10**30, "quantity": 1}], "max_value", "items.0.product"),
        ("items", [{"product": 999_999, "quantity": 1}], "unknown_product", "items.0.product"),
        ("items", [{"product": 1, "quantity": -1}], "min_value", "items.0.quantity"),
        ("items", [{"product": 1, "quantity": 1000}], "max_value", "items.0.quantity"),
        ("items", [{"product": 1, "quantity": 1.5}], "invalid", "items.0.quantity"),
        ("items", [{"product": 1, "quantity": 1, "price": 1}], "unknown_field", "items.0.price"),
        ("items", [{"product": 1, "quantity": 1}] * 21, "max_length", "items"),
        ("customer", True, "invalid", "customer"),
        ("customer", 10**30, "does_not_exist", "customer"),
        ("customer", [1], "invalid", "customer"),
        ("scheduled_date", "2026-02-30", "invalid", "scheduled_date"),
        ("scheduled_date", "2020-01-01", "date_passed", "scheduled_date"),
        ("scheduled_date", "9999-12-31", "date_too_far", "scheduled_date"),
        ("time_slot", "noon", "invalid_choice", "time_slot"),
        ("delivery_address", "x" * 201, "max_length", "delivery_address"),
        ("notes", {"a": 1}, "invalid", "notes"),
        ("status", "delivered", "unknown_field", "status"),
        ("driver", 1, "unknown_field", "driver"),
    ],
)
def test_invalid_order_is_refused_and_not_created(field: str, value: Any, code: str, attr: str) -> None:
    payload = new_order(customer=make_customer().pk) | {field: value}
    answer = make_api("office").post("orders/", payload)
    assert (answer.status_code, codes(answer)) == (400, [(code, attr)])
    assert not Order.objects.exists()


def test_customer_places_own_order() -> None:
    customer, other = make_customer(user=make_user()), make_customer()
    api = Api(customer.user)
    assert api.post("orders/", new_order()).status_code == 201
    assert Order.objects.get().customer == customer
    assert codes(api.post("orders/", new_order(customer=other.pk))) == [("forbidden", "customer")]


@pytest.mark.parametrize(
    ("role", "payload", "status", "attr"),
    [
        ("customer", {"priority": "urgent"}, 403, "priority"),
        ("driver", {}, 403, None), ("office", {}, 400, "customer"),
    ],
)  # fmt: skip
def test_fields_of_new_order_depend_on_role(role: str, payload: dict[str, Any], status: int, attr: str | None) -> None:
    answer = make_api(role).post("orders/", new_order(**payload))
    assert (answer.status_code, [found for _, found in codes(answer)]) == (status, [attr])
    assert not Order.objects.exists()


@pytest.mark.parametrize(
    ("is_active", "count", "code"), [(True, 2, ("product_repeated", "items.1.product")),
                                     (False, 1, ("unknown_product", "items.0.product"))],
)  # fmt: skip
def test_product_must_be_active_and_listed_once(is_active: bool, count: int, code: tuple[str, str]) -> None:
    items = [{"product": make_product(is_active=is_active).pk, "quantity": 1}] * count
    answer = make_api("office").post("orders/", new_order(customer=make_customer().pk, items=items))
    assert codes(answer) == [code]


def test_office_changes_columns_in_one_version() -> None:
    order, api = make_order(), make_api("office")
    answer = api.patch(f"orders/{order.pk}/", {"notes": "後門", "priority": "urgent", "version": 1})
    order.refresh_from_db()
    assert (answer.status_code, answer["ETag"]) == (200, '"2"')
    assert (order.notes, order.priority, order.version) == ("後門", Priority.URGENT, 2)


def test_items_keep_their_price() -> None:
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


def test_patch_with_stale_version_is_conflict_with_current_version() -> None:
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
    """True stands for another driver or that driver's route."""
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
def test_who_may_change_which_fields_of_own_order(
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


CUSTOMER = {
    "id", "order_number", "version", "status", "priority", "attempt", "customer", "customer_name", "items",
    "scheduled_date", "time_slot", "eta", "delivery_address", "area", "notes", "amount_due", "amount_collected",
    "created_at", "updated_at",
}  # fmt: skip
DRIVER = CUSTOMER | {
    "customer_phone", "customer_phone2", "driver", "route", "stop_sequence", "latitude", "longitude"
}  # fmt: skip
OFFICE = DRIVER | {"driver_name", "reported_later"}
SEEN = {"office": OFFICE, "driver": DRIVER, "customer": CUSTOMER}
WHOLE = {"history", "confirmations", "proof_images"}


def make_driven(status: str = OrderStatus.DELIVERING, **more: Any) -> tuple[Driver, dict[str, Api], int]:
    """An order on the road, its driver, and API clients of office, driver and customer."""
    driver = make_driver(name="陳司機", phone="0911-222-333")
    customer = make_customer(user=make_user(), phone="0912-345-678", latitude=25.03, longitude=121.54)
    order = make_order(status, driver=driver, customer=customer, route=make_route(driver=driver), **more)
    return driver, {"office": make_api("office"), "driver": Api(driver.user), "customer": Api(customer.user)}, order.pk


@pytest.mark.parametrize("side", SEEN)
def test_each_side_sees_its_fields_in_list_and_detail(side: str) -> None:
    driver, apis, pk = make_driven()
    (row,) = apis[side].get("orders/").json()["results"]
    whole = apis[side].get(f"orders/{pk}/").json()
    assert row.keys() == SEEN[side]
    assert whole.keys() == row.keys() | (WHOLE if side == "office" else set())
    assert {name: whole[name] for name in row} == row
    if side == "customer":
        text = json.dumps(whole, ensure_ascii=False)
        names = ("測試", driver.name, driver.phone, "222-333", "tracking", "import")
        assert not [word for word in names if word in text]


@pytest.mark.parametrize(
    ("side", "status", "number"),
    [
        ("office", OrderStatus.DELIVERING, "0912-***-678"),
        ("driver", OrderStatus.DELIVERING, "+886912345678"),
        ("driver", OrderStatus.DELIVERED, "0912-***-678"),
    ],
)
def test_only_driver_sees_full_telephone_of_open_order(side: str, status: str, number: str) -> None:
    _, apis, pk = make_driven(status)
    assert apis[side].get(f"orders/{pk}/").json()["customer_phone"] == number


@pytest.mark.parametrize(("address", "door"), [("", (25.03, 121.54)), ("台北市信義區松仁路1號", (None, None))])
def test_coordinates_exist_only_for_customers_own_address(address: str, door: Any) -> None:
    _, apis, pk = make_driven(**({"delivery_address": address} if address else {}))
    row = apis["driver"].get(f"orders/{pk}/").json()
    assert (row["latitude"], row["longitude"]) == door


def test_office_sees_when_late_reported_move_happened() -> None:
    half_an_hour_ago = timezone.now() - timedelta(minutes=30)
    order = make_order(OrderStatus.ASSIGNED, created_at=half_an_hour_ago - timedelta(minutes=30))
    order.transition_to(OrderStatus.DELIVERING, at=half_an_hour_ago)
    office = make_api("office")
    (row,) = office.get("orders/").json()["results"]
    assert row["reported_later"] == timezone.localtime(half_an_hour_ago).isoformat()
    order.transition_to(OrderStatus.ARRIVING)
    assert office.get(f"orders/{order.pk}/").json()["reported_later"] is None


def test_office_reads_the_history_with_names_and_reasons() -> None:
    order, clerk = make_order(), make_office(first_name="小美", last_name="林")
    order.transition_to(OrderStatus.CANCELLED, by=clerk, source="rest", reason="客人不在")
    row = make_api("office").get(f"orders/{order.pk}/").json()["history"][-1]
    assert (row["from_status"], row["to_status"], row["changed_by"], row["reason"]) == (
        "pending", "cancelled", "小美 林", "客人不在",
    )  # fmt: skip


def test_office_reads_proofs_of_delivery() -> None:
    order = make_order(OrderStatus.ARRIVING)
    proof = Proof(ConfirmationType.QR_CODE, ["CYL789"])
    order.transition_to(OrderStatus.DELIVERED, proof=proof)
    (row,) = make_api("office").get(f"orders/{order.pk}/").json()["confirmations"]
    assert (row["confirmation_type"], row["cylinder_serials"], row["confirmed_by"]) == ("qr_code", ["CYL789"], None)


def test_items_carry_name_and_frozen_price() -> None:
    order = make_order(quantity=2)
    (item,) = make_api("office").get(f"orders/{order.pk}/").json()["items"]
    product = order.items.get().product
    assert item == {
        "product": product.pk, "name": "20kg 瓦斯桶", "quantity": 2, "unit_price": 800, "quantity_delivered": None,
    }  # fmt: skip
