from __future__ import annotations

import pytest

from notifications.models import NotificationHistory
from notifications.states import Kind
from notifications.tests.factories import make_quiet_order
from orders.models import Order
from orders.states import Status
from orders.tests.factories import make_driver, make_order

pytestmark = pytest.mark.django_db


def kinds(order: Order) -> list[tuple[str, int]]:
    rows = NotificationHistory.objects.filter(order=order).order_by("delivery_attempt", "created_at")
    return [(row.kind, row.delivery_attempt) for row in rows]


def test_a_new_order_tells_nobody() -> None:
    assert kinds(make_order()) == []


def test_a_delivered_order_told_its_customer_three_times() -> None:
    expected = [(Kind.ORDER_CONFIRMED, 1), (Kind.DRIVER_ARRIVING, 1), (Kind.ORDER_DELIVERED, 1)]
    assert kinds(make_order(Status.DELIVERED)) == expected


def test_a_change_of_another_column_tells_nobody() -> None:
    order = make_quiet_order(Status.CONFIRMED)
    order.notes = "後門"
    order.save()
    assert kinds(order) == []


def test_taken_from_the_driver_it_is_not_confirmed_again() -> None:
    order = make_order(Status.ASSIGNED)
    order.transition_to(Status.CONFIRMED)
    assert kinds(order) == [(Kind.ORDER_CONFIRMED, 1)]


def test_turned_away_and_arriving_again_is_said_once() -> None:
    order = make_order(Status.ARRIVING)
    order.transition_to(Status.DELIVERING)
    order.transition_to(Status.ARRIVING)
    assert [kind for kind, _ in kinds(order)].count(Kind.DRIVER_ARRIVING) == 1


def test_the_next_attempt_is_told_anew() -> None:
    order = make_order(Status.FAILED)
    order.transition_to(Status.CONFIRMED)
    order.transition_to(Status.ASSIGNED, driver=make_driver())
    assert kinds(order) == [(Kind.ORDER_CONFIRMED, 1), (Kind.ORDER_CONFIRMED, 2)]
