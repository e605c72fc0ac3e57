"""Who waits for an order that somebody else is changing gets it as it is then, with the people it has then."""

from __future__ import annotations

import pytest

from orders import services
from orders.models import Order
from orders.states import Status
from orders.tests.api.client import make_api
from orders.tests.factories import make_customer, make_driver, make_office, make_order
from orders.tests.threads import meanwhile
from web.actors import Actor

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.servers]


def give_to_another_customer(order: Order) -> None:
    order.customer = make_customer()
    order.save()


def test_an_order_that_gets_another_customer_is_moved_all_the_same() -> None:
    office, order = make_office(), make_order()
    named = Order.objects.filter(pk=order.pk)
    done = meanwhile(
        lambda: give_to_another_customer(order), lambda: Order.move_named(named, Status.CONFIRMED, by=office)
    )
    assert done.to_status == Status.CONFIRMED


def test_a_driver_who_just_got_the_order_may_report() -> None:
    first, second = make_driver(), make_driver()
    order = make_order(Status.ASSIGNED, driver=first)
    mine = Order.objects.get(pk=order.pk)
    done = meanwhile(
        lambda: order.assign(second), lambda: mine.transition_to(Status.DELIVERING, by=second.user)
    )  # fmt: skip
    assert (done.to_status, done.by) == (Status.DELIVERING, second.user)


def test_a_change_of_an_order_finds_the_customer_of_now() -> None:
    api, order = make_api("office"), make_order()
    answer = meanwhile(
        lambda: give_to_another_customer(order), lambda: api.patch(f"orders/{order.pk}/", {"notes": "三樓"})
    )
    assert (answer.status_code, answer.json()["customer"]) == (200, order.customer_id)


def test_many_at_once_are_changed_with_the_people_of_now() -> None:
    office, order = make_office(), make_order()
    outcome = meanwhile(
        lambda: give_to_another_customer(order),
        lambda: services.bulk_update([order.pk], {"status": "confirmed"}, Actor(office)),
    )
    assert outcome.updated == [order.pk]
