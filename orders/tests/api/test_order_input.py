"""Placing and changing orders."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from django.utils import timezone

from orders.models import Order, Priority
from orders.states import Status
from orders.tests.api.client import Api, codes, make_api
from orders.tests.factories import make_customer, make_driver, make_order, make_product, make_route, make_user
from orders.tests.threads import at_once

pytestmark = pytest.mark.django_db


def new_order(**fields: Any) -> dict[str, Any]:
    usual = {"items": [{"product": make_product(price=800).pk, "quantity": 2}], "scheduled_date": str(tomorrow())}
    return usual | fields


def tomorrow() -> date:
    return timezone.localdate() + timedelta(days=1)


def test_office_places_an_order() -> None:
    customer, api = make_customer(), make_api("office")
    said = new_order(customer=customer.pk, time_slot="morning", notes="後門", priority="urgent")
    answer = api.post("orders/", said)
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
def test_a_wrong_order_is_refused_and_not_made(field: str, value: Any, code: str, attr: str) -> None:
    said = new_order(customer=make_customer().pk) | {field: value}
    answer = make_api("office").post("orders/", said)
    assert (answer.status_code, codes(answer)) == (400, [(code, attr)])
    assert not Order.objects.exists()


def test_customer_places_an_own_order() -> None:
    customer, other = make_customer(user=make_user()), make_customer()
    api = Api(customer.user)
    assert api.post("orders/", new_order()).status_code == 201
    assert Order.objects.get().customer == customer
    assert codes(api.post("orders/", new_order(customer=other.pk))) == [("forbidden", "customer")]


@pytest.mark.parametrize(
    ("role", "said", "status", "attr"),
    [
        ("customer", {"priority": "urgent"}, 403, "priority"),
        ("driver", {}, 403, None), ("office", {}, 400, "customer"),
    ],
)  # fmt: skip
def test_who_may_say_what_of_a_new_order(role: str, said: dict[str, Any], status: int, attr: str | None) -> None:
    answer = make_api(role).post("orders/", new_order(**said))
    assert (answer.status_code, [found for _, found in codes(answer)]) == (status, [attr])
    assert not Order.objects.exists()


@pytest.mark.parametrize(
    ("is_active", "count", "code"), [(True, 2, ("product_repeated", "items.1.product")),
                                     (False, 1, ("unknown_product", "items.0.product"))],
)  # fmt: skip
def test_a_product_is_sold_and_named_once(is_active: bool, count: int, code: tuple[str, str]) -> None:
    items = [{"product": make_product(is_active=is_active).pk, "quantity": 1}] * count
    answer = make_api("office").post("orders/", new_order(customer=make_customer().pk, items=items))
    assert codes(answer) == [code]


def test_office_changes_columns_in_one_version() -> None:
    order, api = make_order(), make_api("office")
    answer = api.patch(f"orders/{order.pk}/", {"notes": "後門", "priority": "urgent", "version": 1})
    order.refresh_from_db()
    assert (answer.status_code, answer["ETag"]) == (200, '"2"')
    assert (order.notes, order.priority, order.version) == ("後門", Priority.URGENT, 2)


def test_items_keep_the_price_they_were_ordered_at() -> None:
    product, other = make_product(price=800), make_product(price=500)
    order = make_order(product=product)
    product.price = 900
    product.save()
    items = [{"product": product.pk, "quantity": 3}, {"product": other.pk, "quantity": 1}]
    answer = make_api("office").patch(f"orders/{order.pk}/", {"items": items})
    order.refresh_from_db()
    assert (order.amount_due, order.version) == (3 * 800 + 500, 2)
    assert [item["unit_price"] for item in answer.json()["items"]] == [800, 500]


def test_an_item_left_out_is_gone() -> None:
    order, other = make_order(), make_product(price=500)
    make_api("office").patch(f"orders/{order.pk}/", {"items": [{"product": other.pk, "quantity": 1}]})
    assert [item.product for item in order.items.all()] == [other]


@pytest.mark.parametrize("missing", ["product", "quantity"])
def test_half_an_item_is_refused_also_in_a_patch(missing: str) -> None:
    order, product = make_order(), make_product()
    item = {"product": product.pk, "quantity": 1}
    del item[missing]
    answer = make_api("office").patch(f"orders/{order.pk}/", {"items": [item]})
    assert (answer.status_code, codes(answer)) == (400, [("required", f"items.0.{missing}")])


def test_an_old_version_is_a_conflict_that_tells_the_new_one() -> None:
    order = make_order(Status.CONFIRMED)
    answer = make_api("office").patch(f"orders/{order.pk}/", {"notes": "late", "version": 1})
    assert (answer.status_code, codes(answer), answer["ETag"]) == (409, [("version_conflict", "version")], '"2"')
    assert "2" in answer.json()["errors"][0]["detail"]
    assert Order.objects.get().notes == ""


@pytest.mark.parametrize(
    ("before", "said", "after"),
    [
        (Status.CONFIRMED, {"driver": True, "notes": "快"}, Status.ASSIGNED),
        (Status.ASSIGNED, {"driver": True}, Status.ASSIGNED),
        (Status.ASSIGNED, {"driver": None}, Status.CONFIRMED),
        (Status.CONFIRMED, {"route": True, "stop_sequence": 3}, Status.ASSIGNED),
    ],
)
def test_patch_gives_the_order_to_a_driver_or_takes_it_back(before: str, said: dict[str, Any], after: str) -> None:
    """True is another driver, and the route of that one."""
    order, driver = make_order(before), make_driver()
    rows = {"driver": driver.pk, "route": make_route(driver=driver).pk}
    said = {name: rows[name] if value is True else value for name, value in said.items()}
    body = make_api("office").patch(f"orders/{order.pk}/", said).json()
    assert {name: body[name] for name in said} == said
    assert (body["status"], body["driver"]) == (after, said.get("driver", driver.pk))


def test_patch_is_all_or_nothing() -> None:
    order = make_order()
    answer = make_api("office").patch(f"orders/{order.pk}/", {"notes": "x", "driver": make_driver().pk})
    assert (answer.status_code, codes(answer)) == (409, [("invalid_transition", "status")])
    assert Order.objects.get().notes == ""


def test_the_route_of_another_driver_is_refused_on_the_road() -> None:
    order, route = make_order(Status.DELIVERING), make_route(driver=make_driver())
    answer = make_api("office").patch(f"orders/{order.pk}/", {"route": route.pk})
    assert (answer.status_code, codes(answer)) == (409, [("route_of_other_driver", "route")])


def test_a_closed_order_takes_notes_only() -> None:
    order, api = make_order(Status.DELIVERED), make_api("office")
    assert api.patch(f"orders/{order.pk}/", {"notes": "少一桶"}).status_code == 200
    assert codes(api.patch(f"orders/{order.pk}/", {"priority": "urgent"})) == [("order_closed", "priority")]


def test_an_old_order_keeps_its_past_date() -> None:
    order = make_order(scheduled_date=timezone.localdate() - timedelta(days=3))
    said = {"scheduled_date": str(order.scheduled_date), "notes": "x"}
    assert make_api("office").patch(f"orders/{order.pk}/", said).status_code == 200


@pytest.mark.parametrize(
    ("said", "code", "attr"),
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
def test_a_wrong_change_is_refused(said: dict[str, Any], code: str, attr: str) -> None:
    order = make_order()
    answer = make_api("office").patch(f"orders/{order.pk}/", said)
    assert (answer.status_code, codes(answer)) == (400, [(code, attr)])


@pytest.mark.parametrize(
    ("role", "status", "said", "found"),
    [
        ("customer", Status.PENDING, {"notes": "請打電話", "time_slot": "evening"}, (200, [])),
        ("customer", Status.PENDING, {"priority": "urgent"}, (403, [("forbidden", "priority")])),
        ("customer", Status.CONFIRMED, {"notes": "x"}, (403, [("forbidden", None)])),
        ("driver", Status.ASSIGNED, {"notes": "x"}, (403, [("forbidden", None)])),
    ],
)
def test_what_people_may_change_of_their_own_order(
    role: str, status: str, said: dict[str, Any], found: tuple[int, list[Any]]
) -> None:
    customer, driver = make_customer(user=make_user()), make_driver()
    order = make_order(status, customer=customer, driver=driver if role == "driver" else None)
    answer = Api(driver.user if role == "driver" else customer.user).patch(f"orders/{order.pk}/", said)
    assert (answer.status_code, codes(answer) if answer.status_code >= 400 else []) == found
    other = make_api(role)
    assert other.get(f"orders/{order.pk}/").status_code == 404
    # Drivers change no order at all.
    assert other.patch(f"orders/{order.pk}/", said).status_code == (403 if role == "driver" else 404)


@pytest.mark.django_db(transaction=True)
def test_eight_clerks_change_one_version_and_one_succeeds() -> None:
    order, clerks = make_order(), [make_api("office") for _ in range(8)]

    def change(api: Api) -> Any:
        return api.patch(f"orders/{order.pk}/", {"notes": str(api.user), "version": 1}).status_code

    assert sorted(at_once(change, clerks)) == [200, *[409] * 7]
    assert Order.objects.get().version == 2
