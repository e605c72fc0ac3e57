from __future__ import annotations

from datetime import timedelta

import pytest

from orders.models import Order
from orders.states import Status
from orders.tests.factories import TODAY, make_driver, make_order

pytestmark = pytest.mark.django_db


def test_the_next_stop_is_where_the_driver_arrives() -> None:
    driver = make_driver()
    make_order(Status.DELIVERING, driver=driver, stop_sequence=1)
    arriving = make_order(Status.ARRIVING, driver=driver, stop_sequence=2)
    assert Order.objects.next_stops([driver.pk]) == {driver.pk: arriving.pk}


def test_the_next_stop_is_the_first_still_to_come_of_the_day() -> None:
    driver, other = make_driver(), make_driver()
    make_order(Status.DELIVERED, driver=driver, stop_sequence=1)
    make_order(Status.ASSIGNED, driver=driver, stop_sequence=1)
    make_order(Status.DELIVERING, driver=driver)
    make_order(Status.DELIVERING, driver=driver, stop_sequence=3)
    second = make_order(Status.DELIVERING, driver=driver, stop_sequence=2)
    make_order(Status.DELIVERING, driver=make_driver(), stop_sequence=1)
    assert Order.objects.next_stops([driver.pk, other.pk]) == {driver.pk: second.pk}


def test_stops_without_a_place_in_the_route_go_by_their_day() -> None:
    driver = make_driver()
    make_order(Status.DELIVERING, driver=driver)
    earlier = make_order(Status.DELIVERING, driver=driver, scheduled_date=TODAY - timedelta(days=1))
    assert Order.objects.next_stops([driver.pk]) == {driver.pk: earlier.pk}
