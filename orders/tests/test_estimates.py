from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from dispatch.models import DriverLocation
from orders.estimates import Minutes, distance_km, to_the_door
from orders.models import Order
from orders.tests.factories import make_customer, make_driver, make_order

pytestmark = pytest.mark.django_db
DOOR = (25.0330, 121.5654)


@pytest.fixture
def order() -> Order:
    return make_order(customer=make_customer(latitude=DOOR[0], longitude=DOOR[1]))


def at(latitude: float, longitude: float, minutes_ago: float = 0) -> DriverLocation:
    moment = timezone.now() - timedelta(minutes=minutes_ago)
    return DriverLocation(driver=make_driver(), latitude=latitude, longitude=longitude, recorded_at=moment)


def test_distance_is_that_of_a_known_pair() -> None:
    # Taipei Main Station to Taipei 101.
    assert distance_km((25.0478, 121.5170), (25.0340, 121.5645)) == pytest.approx(5.02, abs=0.05)


def test_two_kilometres_are_a_range_of_minutes(order: Order) -> None:
    assert to_the_door(order, at(25.0510, 121.5654), timezone.now()) == Minutes(least=5, most=15)


def test_at_the_door_it_is_a_matter_of_minutes(order: Order) -> None:
    assert to_the_door(order, at(*DOOR), timezone.now()) == Minutes(least=0, most=5)


def test_an_old_position_says_nothing(order: Order) -> None:
    assert to_the_door(order, at(25.0510, 121.5654, minutes_ago=6), timezone.now()) is None


def test_without_a_position_nothing_is_said(order: Order) -> None:
    assert to_the_door(order, None, timezone.now()) is None


def test_another_address_than_the_customers_is_nowhere_we_know(order: Order) -> None:
    order.delivery_address = "台北市中山區別處1號"
    assert to_the_door(order, at(25.0510, 121.5654), timezone.now()) is None
