from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from catalogue.models import Product
from orders.models import Order, OrderItem, OrderStatusChange
from orders.models.order import Proof, VersionConflict
from orders.states import Status
from orders.tests.factories import (
    make_customer,
    make_driver,
    make_office,
    make_order,
    make_product,
    make_route,
    make_user,
)
from orders.tests.threads import meanwhile
from web.refusals import Refusal

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


def refusal(order: Order, to: str, **circumstances: Any) -> str:
    """The code of the refusal; nothing must have changed."""
    before = Order.objects.values().get(pk=order.pk)
    with pytest.raises(Refusal) as refused:
        order.transition_to(to, **circumstances)
    assert Order.objects.values().get(pk=order.pk) == before
    return refused.value.code


def test_a_move_is_written_down() -> None:
    order, office = make_order(), make_office()
    happened = timezone.now() - timedelta(seconds=30)
    row = order.transition_to("confirmed", by=office, source="rest", at=happened, details={"notes": "x"})
    assert (row.from_status, row.to_status, row.by, row.source) == ("pending", "confirmed", office, "rest")
    assert (row.at, row.details, row.version, order.version) == (happened, {"notes": "x"}, 2, 2)
    assert row.recorded_at > happened


def test_an_old_version_is_refused_with_the_present_one() -> None:
    order = make_order(Status.CONFIRMED)
    with pytest.raises(VersionConflict) as refused:
        order.transition_to("cancelled", reason="x", version=1)
    assert refused.value.version == order.version


def test_a_driver_moves_own_orders_only() -> None:
    driver, other = make_driver(), make_driver()
    order = make_order(Status.ASSIGNED, driver=driver)
    assert refusal(order, "delivering", by=other.user) == "forbidden"
    assert order.transition_to("delivering", by=driver.user).to_status == "delivering"


def test_a_customer_cancels_before_the_delivery_begins_and_not_after() -> None:
    customer = make_customer(user=make_user())
    order = make_order(Status.ASSIGNED, customer=customer)
    order.transition_to("cancelled", by=customer.user, reason="不需要了")
    late = make_order(Status.DELIVERING, customer=customer)
    assert refusal(late, "cancelled", by=customer.user, reason="不需要了") == "forbidden"


def test_a_deactivated_driver_moves_nothing() -> None:
    driver = make_driver()
    order = make_order(Status.ASSIGNED, driver=driver)
    driver.is_active = False
    driver.save()
    driver.user.refresh_from_db()
    assert refusal(order, "delivering", by=driver.user) == "forbidden"


def test_an_accepted_command_repeated_is_answered_and_not_repeated() -> None:
    driver = make_driver()
    order = make_order(Status.ASSIGNED, driver=driver)
    first = order.transition_to("delivering", by=driver.user, ref="a1")
    order.transition_to("arriving", by=driver.user)
    again = order.transition_to("delivering", by=driver.user, ref="a1")
    assert (again.pk, order.status) == (first.pk, "arriving")


@pytest.mark.servers
@pytest.mark.django_db(transaction=True)
def test_a_ref_used_for_two_orders_at_once_names_one() -> None:
    office, order, other = make_office(), make_order(), make_order()
    refused = meanwhile(
        lambda: other.transition_to("confirmed", by=office, ref="a1"),
        lambda: refusal(order, "confirmed", by=office, ref="a1"),
    )
    assert refused == "ref_reused"
    assert OrderStatusChange.objects.get(by=office, ref="a1").order == other


def test_a_ref_names_one_command() -> None:
    driver = make_driver()
    order = make_order(Status.ASSIGNED, driver=driver)
    order.transition_to("delivering", by=driver.user, ref="a1")
    assert refusal(order, "arriving", by=driver.user, ref="a1") == "ref_reused"
    # Another's ref of the same name is another's.
    assert order.transition_to("arriving", by=make_office(), ref="a1").to_status == "arriving"


@pytest.mark.parametrize("off", [timedelta(minutes=10), timedelta(days=-2)])
def test_a_time_that_cannot_be_is_refused(off: timedelta) -> None:
    assert refusal(make_order(), "confirmed", at=timezone.now() + off) == "invalid_time"


def test_a_clock_slightly_ahead_counts_as_now() -> None:
    row = make_order().transition_to("confirmed", at=timezone.now() + timedelta(seconds=30))
    assert row.at <= timezone.now()


def test_a_move_may_bring_the_hour_and_else_leaves_it() -> None:
    order, eta = make_order(Status.ASSIGNED), timezone.now() + timedelta(minutes=20)
    order.transition_to("delivering", eta=eta)
    order.transition_to("arriving")
    assert Order.objects.get().eta == eta


def test_details_may_hold_a_time() -> None:
    order, seen = make_order(), datetime(2026, 11, 23, 8, tzinfo=UTC)
    order.transition_to("confirmed", details={"eta": seen, "notes": "x"})
    row = OrderStatusChange.objects.get(order=order, to_status="confirmed")
    assert row.details == {"eta": "2026-11-23T08:00:00Z", "notes": "x"}


def test_assigning_needs_an_active_driver() -> None:
    order = make_order(Status.CONFIRMED)
    assert refusal(order, "assigned") == "driver_required"
    assert refusal(order, "assigned", driver=make_driver(is_active=False)) == "driver_required"


def test_assigning_takes_the_driver_of_the_route() -> None:
    driver = make_driver()
    order = make_order(Status.CONFIRMED, route=make_route(driver=driver))
    order.transition_to("assigned")
    assert order.driver == driver


def test_a_driver_does_not_take_an_order_from_a_colleague() -> None:
    order, thief = make_order(Status.ASSIGNED), make_driver()
    assert refusal(order, "assigned", driver=thief, by=thief.user) == "invalid_transition"


def test_an_order_given_to_another_driver_leaves_the_route_of_the_former() -> None:
    driver = make_driver()
    order = make_order(Status.ASSIGNED, driver=driver, route=make_route(driver=driver), stop_sequence=3)
    order.assign(make_driver())
    assert (order.status, order.route, order.stop_sequence) == ("assigned", None, None)


def test_taken_back_it_belongs_to_nobody() -> None:
    order = make_order(Status.ASSIGNED, route=make_route())
    order.assign(None)
    assert (order.status, order.driver, order.route) == ("confirmed", None, None)


def test_a_failed_order_begins_its_next_attempt() -> None:
    order = make_order(Status.FAILED)
    order.transition_to("confirmed")
    assert (order.attempt, order.driver) == (2, None)


def test_a_delivery_leaves_proof_and_takes_the_stock() -> None:
    product, driver = make_product(stock=10), make_driver()
    order = make_order(Status.ARRIVING, product=product, quantity=3, driver=driver)
    order.transition_to(
        "delivered", by=driver.user, proof=Proof("qr_code", ["CYL789"], parts={"amount_collected": 2400})
    )
    proof = order.confirmations.get()
    assert (proof.confirmation_type, proof.cylinder_serials, proof.by) == ("qr_code", ["CYL789"], driver.user)
    assert (order.amount_collected, order.items.get().quantity_delivered) == (2400, 3)
    assert Product.objects.get(pk=product.pk).stock == 7


@pytest.mark.parametrize(
    ("named", "left"),
    [((), (7, 1)), ((1, 4), (9, 1)), ((0, 4), (10, 1)), ((4, 4), None), ((-1, 4), None), ((0, 0), None)],
)
def test_what_was_delivered_leaves_the_stock_and_comes_back_with_a_correction(
    named: tuple[int, ...], left: tuple[int, int] | None
) -> None:
    """Of three and four cylinders that were ordered."""
    products = [make_product(stock=10), make_product(stock=5)]
    order = make_order(Status.ARRIVING, product=products[0], quantity=3)
    OrderItem.objects.create(order=order, product=products[1], quantity=4)

    def stocks() -> tuple[int, ...]:
        return tuple(Product.objects.order_by("pk").values_list("stock", flat=True))

    proof = Proof(quantities=dict(zip((product.pk for product in products), named, strict=False)))
    if left is None:
        assert refusal(order, "delivered", proof=proof) == "invalid_quantity"
    else:
        order.transition_to("delivered", proof=proof)
        assert stocks() == left
        order.transition_to("cancelled", reason="按錯")
    assert stocks() == (10, 5)


def test_only_what_was_ordered_is_delivered() -> None:
    order = make_order(Status.ARRIVING)
    proof = Proof(quantities={make_product().pk: 1})
    assert refusal(order, "delivered", proof=proof) == "invalid_quantity"
