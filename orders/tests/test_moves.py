from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.roles import Side
from catalogue.models import Product
from orders import services, states
from orders.models import Order, OrderItem, OrderStatusChange
from orders.models.order import Proof, VersionConflict
from orders.states import OrderStatus
from orders.tests.api.client import make_api
from orders.tests.factories import (
    make_customer,
    make_driver,
    make_office,
    make_order,
    make_product,
    make_route,
    make_user,
)
from orders.tests.threads import run_during
from web.actors import Actor
from web.refusals import Refusal

pytestmark = pytest.mark.django_db


def refusal_code(order: Order, to: str, **circumstances: Any) -> str:
    """The code of the Refusal of a move. Asserts that the order did not change."""
    before = Order.objects.values().get(pk=order.pk)
    with pytest.raises(Refusal) as refused:
        order.transition_to(to, **circumstances)
    assert Order.objects.values().get(pk=order.pk) == before
    return refused.value.code


@pytest.mark.sqlite
def test_move_writes_history_row() -> None:
    order, office = make_order(), make_office()
    happened = timezone.now() - timedelta(seconds=30)
    row = order.transition_to("confirmed", by=office, source="rest", at=happened, details={"notes": "x"})
    assert (row.from_status, row.to_status, row.by, row.source) == ("pending", "confirmed", office, "rest")
    assert (row.at, row.details, row.version, order.version) == (happened, {"notes": "x"}, 2, 2)
    assert row.recorded_at > happened


@pytest.mark.sqlite
def test_stale_version_is_refused_with_current_version() -> None:
    order = make_order(OrderStatus.CONFIRMED)
    with pytest.raises(VersionConflict) as refused:
        order.transition_to("cancelled", reason="x", version=1)
    assert refused.value.version == order.version


@pytest.mark.sqlite
def test_driver_moves_only_own_orders() -> None:
    driver, other = make_driver(), make_driver()
    order = make_order(OrderStatus.ASSIGNED, driver=driver)
    assert refusal_code(order, "delivering", by=other.user) == "forbidden"
    assert order.transition_to("delivering", by=driver.user).to_status == "delivering"


@pytest.mark.sqlite
def test_customer_cancels_only_before_delivery_begins() -> None:
    customer = make_customer(user=make_user())
    order = make_order(OrderStatus.ASSIGNED, customer=customer)
    order.transition_to("cancelled", by=customer.user, reason="不需要了")
    late = make_order(OrderStatus.DELIVERING, customer=customer)
    assert refusal_code(late, "cancelled", by=customer.user, reason="不需要了") == "forbidden"


@pytest.mark.sqlite
def test_deactivated_driver_moves_nothing() -> None:
    driver = make_driver()
    order = make_order(OrderStatus.ASSIGNED, driver=driver)
    driver.is_active = False
    driver.save()
    driver.user.refresh_from_db()
    assert refusal_code(order, "delivering", by=driver.user) == "forbidden"


@pytest.mark.sqlite
def test_repeated_ref_returns_first_row_and_moves_once() -> None:
    driver = make_driver()
    order = make_order(OrderStatus.ASSIGNED, driver=driver)
    first = order.transition_to("delivering", by=driver.user, ref="a1")
    order.transition_to("arriving", by=driver.user)
    again = order.transition_to("delivering", by=driver.user, ref="a1")
    assert (again.pk, order.status) == (first.pk, "arriving")


@pytest.mark.sqlite
@pytest.mark.servers
@pytest.mark.django_db(transaction=True)
def test_concurrent_use_of_one_ref_moves_one_order() -> None:
    office, order, other = make_office(), make_order(), make_order()
    refused = run_during(
        lambda: other.transition_to("confirmed", by=office, ref="a1"),
        lambda: refusal_code(order, "confirmed", by=office, ref="a1"),
    )
    assert refused == "ref_reused"
    assert OrderStatusChange.objects.get(by=office, ref="a1").order == other


@pytest.mark.sqlite
def test_ref_reused_for_other_command_is_refused() -> None:
    driver = make_driver()
    order = make_order(OrderStatus.ASSIGNED, driver=driver)
    order.transition_to("delivering", by=driver.user, ref="a1")
    assert refusal_code(order, "arriving", by=driver.user, ref="a1") == "ref_reused"
    # Another user may use the same ref.
    assert order.transition_to("arriving", by=make_office(), ref="a1").to_status == "arriving"


@pytest.mark.sqlite
@pytest.mark.parametrize("off", [timedelta(minutes=10), timedelta(days=-2)])
def test_impossible_time_is_refused(off: timedelta) -> None:
    assert refusal_code(make_order(), "confirmed", at=timezone.now() + off) == "invalid_time"


@pytest.mark.sqlite
def test_clock_slightly_ahead_counts_as_now() -> None:
    row = make_order().transition_to("confirmed", at=timezone.now() + timedelta(seconds=30))
    assert row.at <= timezone.now()


@pytest.mark.sqlite
def test_move_without_eta_keeps_earlier_eta() -> None:
    order, eta = make_order(OrderStatus.ASSIGNED), timezone.now() + timedelta(minutes=20)
    order.transition_to("delivering", eta=eta)
    order.transition_to("arriving")
    assert Order.objects.get().eta == eta


@pytest.mark.sqlite
def test_details_store_datetime_as_text() -> None:
    order, seen = make_order(), datetime(2026, 11, 23, 8, tzinfo=UTC)
    order.transition_to("confirmed", details={"eta": seen, "notes": "x"})
    row = OrderStatusChange.objects.get(order=order, to_status="confirmed")
    assert row.details == {"eta": "2026-11-23T08:00:00Z", "notes": "x"}


@pytest.mark.sqlite
def test_assigning_needs_an_active_driver() -> None:
    order = make_order(OrderStatus.CONFIRMED)
    assert refusal_code(order, "assigned") == "driver_required"
    assert refusal_code(order, "assigned", driver=make_driver(is_active=False)) == "driver_required"


@pytest.mark.sqlite
def test_assigning_uses_driver_of_route() -> None:
    driver = make_driver()
    order = make_order(OrderStatus.CONFIRMED, route=make_route(driver=driver))
    order.transition_to("assigned")
    assert order.driver == driver


@pytest.mark.sqlite
def test_driver_cannot_take_order_from_colleague() -> None:
    order, thief = make_order(OrderStatus.ASSIGNED), make_driver()
    assert refusal_code(order, "assigned", driver=thief, by=thief.user) == "invalid_transition"


@pytest.mark.sqlite
def test_reassigned_order_leaves_previous_drivers_route() -> None:
    driver = make_driver()
    order = make_order(OrderStatus.ASSIGNED, driver=driver, route=make_route(driver=driver), stop_sequence=3)
    order.assign(make_driver())
    assert (order.status, order.route, order.stop_sequence) == ("assigned", None, None)


@pytest.mark.sqlite
def test_unassigned_order_has_no_driver_or_route() -> None:
    order = make_order(OrderStatus.ASSIGNED, route=make_route())
    order.assign(None)
    assert (order.status, order.driver, order.route) == ("confirmed", None, None)


@pytest.mark.sqlite
def test_confirming_failed_order_starts_next_attempt() -> None:
    order = make_order(OrderStatus.FAILED)
    order.transition_to("confirmed")
    assert (order.attempt, order.driver) == (2, None)


@pytest.mark.sqlite
def test_delivery_writes_proof_and_reduces_stock() -> None:
    product, driver = make_product(stock=10), make_driver()
    order = make_order(OrderStatus.ARRIVING, product=product, quantity=3, driver=driver)
    order.transition_to(
        "delivered", by=driver.user, proof=Proof("qr_code", ["CYL789"], parts={"amount_collected": 2400})
    )
    proof = order.confirmations.get()
    assert (proof.confirmation_type, proof.cylinder_serials, proof.by) == ("qr_code", ["CYL789"], driver.user)
    assert (order.amount_collected, order.items.get().quantity_delivered) == (2400, 3)
    assert Product.objects.get(pk=product.pk).stock == 7


@pytest.mark.sqlite
@pytest.mark.parametrize(
    ("quantities", "left"),
    [((), (7, 1)), ((1, 4), (9, 1)), ((0, 4), (10, 1)), ((4, 4), None), ((-1, 4), None), ((0, 0), None)],
)
def test_delivered_quantity_leaves_stock_and_returns_on_cancellation(
    quantities: tuple[int, ...], left: tuple[int, int] | None
) -> None:
    """Three and four cylinders were ordered. `left` is the stock after the delivery; None if it is refused."""
    products = [make_product(stock=10), make_product(stock=5)]
    order = make_order(OrderStatus.ARRIVING, product=products[0], quantity=3)
    OrderItem.objects.create(order=order, product=products[1], quantity=4)

    def stocks() -> tuple[int, ...]:
        return tuple(Product.objects.order_by("pk").values_list("stock", flat=True))

    proof = Proof(quantities=dict(zip((product.pk for product in products), quantities, strict=False)))
    if left is None:
        assert refusal_code(order, "delivered", proof=proof) == "invalid_quantity"
    else:
        order.transition_to("delivered", proof=proof)
        assert stocks() == left
        order.transition_to("cancelled", reason="按錯")
    assert stocks() == (10, 5)


@pytest.mark.sqlite
def test_delivering_product_not_ordered_is_refused() -> None:
    order = make_order(OrderStatus.ARRIVING)
    proof = Proof(quantities={make_product().pk: 1})
    assert refusal_code(order, "delivered", proof=proof) == "invalid_quantity"


# The following tests check the whole table: every pair of statuses, for every role.


O, D, C = Side.OFFICE, Side.DRIVER, Side.CUSTOMER  # noqa: E741
# The specification: who may make the move from one status to another, and whether it needs a reason. It is written by
# hand, not computed from the code.
ALLOWED = {
    ("pending", "confirmed"): ({O}, False),
    ("pending", "cancelled"): ({O, C}, True),
    ("confirmed", "assigned"): ({O}, False),
    ("confirmed", "cancelled"): ({O, C}, True),
    ("assigned", "confirmed"): ({O}, False),
    ("assigned", "delivering"): ({O, D}, False),
    ("assigned", "cancelled"): ({O, C}, True),
    ("delivering", "assigned"): ({O, D}, False),
    ("delivering", "arriving"): ({O, D}, False),
    ("delivering", "failed"): ({O, D}, True),
    ("delivering", "cancelled"): ({O}, True),
    ("arriving", "delivering"): ({O, D}, False),
    ("arriving", "delivered"): ({O, D}, False),
    ("arriving", "failed"): ({O, D}, True),
    ("arriving", "cancelled"): ({O}, True),
    ("failed", "confirmed"): ({O}, False),
    ("failed", "cancelled"): ({O}, True),
    ("delivered", "cancelled"): ({O}, True),
}
EVERY = list(itertools.product(OrderStatus.values, OrderStatus.values, Side))


def outcome(before: str, to: str, role: Side, reason: str) -> str:
    try:
        states.check_move(before, to, {role}, reason)
    except Refusal as refusal:
        return refusal.code
    return "allowed"


@pytest.mark.parametrize(("before", "to", "role"), EVERY)
def test_every_pair_of_statuses_follows_the_table_of_moves(before: str, to: str, role: Side) -> None:
    if (before, to) not in ALLOWED:
        expected = ("invalid_transition", "invalid_transition")
    else:
        who, needs_reason = ALLOWED[before, to]
        expected = (
            ("allowed" if not needs_reason else "reason_required", "allowed") if role in who else ("forbidden",) * 2
        )
    assert (outcome(before, to, role, " "), outcome(before, to, role, "因為")) == expected


def test_office_may_make_every_move() -> None:
    assert all(Side.OFFICE in move.roles for move in states.MOVES.values())


def test_user_without_role_moves_nothing() -> None:
    with pytest.raises(Refusal) as refused:
        states.check_move("pending", "confirmed", set(), "")
    assert refused.value.code == "forbidden"


def test_moves_from_lists_moves_of_role() -> None:
    assert set(states.moves_from("assigned", {Side.DRIVER})) == {OrderStatus.DELIVERING}
    assert set(states.moves_from("cancelled", set(Side))) == set()


def test_all_but_delivered_and_cancelled_are_open() -> None:
    assert set(OrderStatus) - states.OPEN == {OrderStatus.DELIVERED, OrderStatus.CANCELLED}


# A command that had to wait for another change of the order reads the order, customer and driver as they are after that
# change.


def change_customer(order: Order) -> None:
    order.customer = make_customer()
    order.save()


@pytest.mark.django_db(transaction=True)
@pytest.mark.servers
def test_move_that_waits_for_change_of_customer_succeeds() -> None:
    office, order = make_office(), make_order()
    orders = Order.objects.filter(pk=order.pk)
    done = run_during(lambda: change_customer(order), lambda: Order.move_one(orders, OrderStatus.CONFIRMED, by=office))
    assert done.to_status == OrderStatus.CONFIRMED


@pytest.mark.django_db(transaction=True)
@pytest.mark.servers
def test_driver_assigned_while_command_waits_may_move_order() -> None:
    first, second = make_driver(), make_driver()
    order = make_order(OrderStatus.ASSIGNED, driver=first)
    mine = Order.objects.get(pk=order.pk)
    done = run_during(
        lambda: order.assign(second), lambda: mine.transition_to(OrderStatus.DELIVERING, by=second.user)
    )  # fmt: skip
    assert (done.to_status, done.by) == (OrderStatus.DELIVERING, second.user)


@pytest.mark.django_db(transaction=True)
@pytest.mark.servers
def test_change_after_waiting_sees_current_customer() -> None:
    api, order = make_api("office"), make_order()
    answer = run_during(lambda: change_customer(order), lambda: api.patch(f"orders/{order.pk}/", {"notes": "三樓"}))
    assert (answer.status_code, answer.json()["customer"]) == (200, order.customer_id)


@pytest.mark.django_db(transaction=True)
@pytest.mark.servers
def test_bulk_update_after_waiting_sees_current_customer() -> None:
    office, order = make_office(), make_order()
    outcome = run_during(
        lambda: change_customer(order),
        lambda: services.bulk_update([order.pk], {"status": "confirmed"}, Actor(office)),
    )
    assert outcome.updated == [order.pk]
