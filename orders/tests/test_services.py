from __future__ import annotations

from datetime import date, timedelta
from functools import partial
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from catalogue.models import Product
from orders import services
from orders.models import Order, OrderItem, Priority
from orders.models.item import OrderLine
from orders.states import OrderStatus
from orders.tests.factories import make_customer, make_driver, make_office, make_order, make_product, make_route
from orders.tests.threads import in_thread, run_between
from web.actors import Actor, Source
from web.refusals import Refusal

pytestmark = pytest.mark.django_db


def make_actor() -> Actor:
    return Actor(make_office(), Source.REST)


def place(*lines: OrderLine, **columns: Any) -> Order:
    usual: dict[str, Any] = {"customer": make_customer(), "scheduled_date": timezone.localdate()}
    return services.place(lines, make_actor(), **(usual | columns))


def test_refused_order_writes_nothing() -> None:
    with pytest.raises(Refusal) as refused:
        place(OrderLine(make_product().pk, 1), OrderLine(999_999, 1))
    assert (refused.value.code, refused.value.attr) == ("unknown_product", "items.1.product")
    assert not Order.objects.exists()


def test_place_refuses_amount_beyond_column() -> None:
    with pytest.raises(Refusal) as refused:
        place(OrderLine(make_product(price=10_000_000).pk, 999))
    assert refused.value.code == "amount_too_large"


def test_changed_items_of_same_amount_increment_version() -> None:
    order = make_order()
    other = make_product(price=order.amount_due)
    services.change(Order.objects.get(), {"items": [OrderLine(other.pk, 1)]}, make_actor())
    saved = Order.objects.get()
    assert (saved.version, saved.amount_due, saved.items.get().product) == (2, order.amount_due, other)


def test_bulk_update_assigns_many_with_few_queries() -> None:
    driver, actor = make_driver(), make_actor()
    ids = [make_order(OrderStatus.CONFIRMED).pk for _ in range(20)]
    with CaptureQueriesContext(connection) as queries:
        outcome = services.bulk_update(ids, {"driver": driver}, actor)
    assert (outcome.updated, outcome.failed) == (ids, [])
    assert len(queries) <= 6 * len(ids)
    assert Order.objects.filter(status=OrderStatus.ASSIGNED, driver=driver).count() == 20


def test_bulk_update_continues_after_refusal() -> None:
    ids = [make_order().pk, make_order(OrderStatus.CONFIRMED).pk, make_order().pk]
    outcome = services.bulk_update(ids, {"status": OrderStatus.CONFIRMED}, make_actor())
    assert (outcome.updated, [row["id"] for row in outcome.failed]) == ([ids[0], ids[2]], [ids[1]])
    assert Order.objects.filter(status=OrderStatus.CONFIRMED).count() == 3


def test_bulk_update_counts_repeated_id_once() -> None:
    first, second = make_order(), make_order()
    ids = [second.pk, first.pk, second.pk]
    outcome = services.bulk_update(ids, {"status": OrderStatus.CONFIRMED}, make_actor())
    assert (outcome.updated, outcome.failed) == ([second.pk, first.pk], [])


@pytest.mark.servers
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("before", "changes", "left"),
    [
        (OrderStatus.ARRIVING, {"status": OrderStatus.DELIVERED}, 8),
        (OrderStatus.DELIVERED, {"status": OrderStatus.CANCELLED, "reason": "按錯"}, 9),
    ],
)
def test_bulk_update_and_delivery_of_same_products_do_not_deadlock(
    before: OrderStatus, changes: dict[str, Any], left: int
) -> None:
    """The orders have the products in reverse order of ids. Locking the products one by one would deadlock."""
    low, high = make_product(stock=10), make_product(stock=10)
    many = [make_order(before, product=high).pk, make_order(before, product=low).pk]
    both = make_order(OrderStatus.ARRIVING, product=low)
    OrderItem.objects.create(order=both, product=high, quantity=1)
    deliver = partial(both.transition_to, OrderStatus.DELIVERED)
    with run_between('UPDATE "catalogue_product"', 'SELECT "catalogue_product"', deliver, seconds=0.5):
        outcome = services.bulk_update(many, changes, make_actor())
    assert outcome.updated == many
    assert list(Product.objects.order_by("pk").values_list("stock", flat=True)) == [left, left]


@pytest.mark.servers
@pytest.mark.django_db(transaction=True)
def test_place_does_not_wait_for_locked_product() -> None:
    product = make_product()
    with transaction.atomic():
        Product.add_stock(product.pk, -1)
        placing = in_thread(lambda: place(OrderLine(product.pk, 1)))
        assert placing.wait(5)
    placing.join()


def test_bulk_update_of_several_fields_is_atomic_per_order() -> None:
    good, bad = make_order(), make_order(OrderStatus.CONFIRMED)
    changes = {"priority": Priority.URGENT, "status": OrderStatus.CONFIRMED}
    outcome = services.bulk_update([good.pk, bad.pk], changes, make_actor())
    assert (outcome.updated, outcome.failed[0]["code"]) == ([good.pk], "invalid_transition")
    assert Order.objects.get(pk=good.pk).priority == Priority.URGENT
    assert Order.objects.get(pk=bad.pk).priority == Priority.NORMAL


TOMORROW = timezone.localdate() + timedelta(days=1)


@pytest.mark.parametrize(
    ("before", "changes", "refused", "after"),
    [
        (OrderStatus.PENDING, {"status": OrderStatus.CONFIRMED, "driver": True}, [],
         {"status": OrderStatus.ASSIGNED, "driver": True}),
        (OrderStatus.CONFIRMED, {"driver": False}, ["driver_required"],
         {"status": OrderStatus.CONFIRMED, "driver": None}),
        (OrderStatus.CONFIRMED, {"route": True}, [], {"status": OrderStatus.ASSIGNED, "route": True, "driver": True}),
        (OrderStatus.FAILED, {"status": OrderStatus.CONFIRMED, "scheduled_date": TOMORROW}, [],
         {"status": OrderStatus.CONFIRMED, "attempt": 2, "scheduled_date": TOMORROW, "driver": None}),
        (OrderStatus.PENDING, {"status": OrderStatus.CANCELLED}, ["reason_required"], {"status": OrderStatus.PENDING}),
        (OrderStatus.PENDING, {"status": OrderStatus.CANCELLED, "reason": "颱風"}, [],
         {"status": OrderStatus.CANCELLED}),
        (OrderStatus.PENDING, {"scheduled_date": date(2020, 1, 1)}, ["date_passed"], {"version": 1}),
    ],
)  # fmt: skip
def test_bulk_update_applies_all_parts_or_refuses(
    before: OrderStatus, changes: dict[str, Any], refused: list[str], after: dict[str, Any]
) -> None:
    """In the parameters, True stands for an active driver or that driver's route, False for a deactivated driver."""
    driver = make_driver(is_active=changes.get("driver", True))
    rows = {"driver": driver, "route": make_route(driver=driver)}
    resolved = {name: rows.get(name, value) for name, value in changes.items()}
    order = make_order(before)
    outcome = services.bulk_update([order.pk], resolved, make_actor())
    order.refresh_from_db()
    assert [row["code"] for row in outcome.failed] == refused
    assert {name: getattr(order, name) for name in after} == {
        name: rows[name] if value is True else value for name, value in after.items()
    }


def test_assign_route_refuses_orders_on_the_road() -> None:
    first, second = make_driver(), make_driver()
    route = make_route(driver=first)
    driving = make_order(OrderStatus.DELIVERING, driver=first, route=route)
    waiting = make_order(OrderStatus.ASSIGNED, driver=first, route=route)
    outcome = services.assign_route(route.pk, second, make_actor())
    route.refresh_from_db()
    waiting.refresh_from_db()
    driving.refresh_from_db()
    assert (outcome.updated, [row["id"] for row in outcome.failed]) == ([waiting.pk], [driving.pk])
    assert (route.driver, waiting.driver, waiting.route, driving.driver) == (second, second, route, first)


@pytest.mark.servers
@pytest.mark.django_db(transaction=True)
def test_assign_route_includes_orders_that_join_while_it_runs() -> None:
    route, driver, actor = make_route(), make_driver(), make_actor()
    there, coming = make_order(OrderStatus.CONFIRMED, route=route), make_order(OrderStatus.CONFIRMED)
    ids = [there.pk, coming.pk]
    put_on_route = partial(services.bulk_update, ids, {"route": route}, actor)
    # Between these two statements the route is locked, and its orders are not locked yet.
    with run_between('SELECT "dispatch_route"', 'SELECT "orders_order"', put_on_route, seconds=5):
        assert services.assign_route(route.pk, driver, actor).updated == ids


def test_assign_route_is_idempotent() -> None:
    driver, route = make_driver(), make_route()
    order = make_order(OrderStatus.CONFIRMED)
    order.route = route
    order.save()
    services.assign_route(route.pk, driver, make_actor())
    again = services.assign_route(route.pk, driver, make_actor())
    assert (again.updated, again.failed) == ([], [])


def test_stop_without_route_is_refused() -> None:
    with pytest.raises(Refusal) as refused:
        services.change(make_order(), {"stop_sequence": 4}, make_actor())
    assert (refused.value.code, refused.value.attr) == ("route_required", "stop_sequence")


def test_removing_route_removes_stop() -> None:
    order = make_order(route=make_route(), stop_sequence=4)
    services.change(order, {"route": None}, make_actor())
    order.refresh_from_db()
    assert (order.route, order.stop_sequence) == (None, None)
