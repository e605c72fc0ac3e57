from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from dispatch.models import DriverLocation
from orders.estimates import Minutes, distance_km, estimate_arrival
from orders.models import Order
from orders.tests.factories import make_customer, make_driver, make_order

pytestmark = pytest.mark.django_db
PLACE = (25.0330, 121.5654)


@pytest.fixture
def order() -> Order:
    return make_order(customer=make_customer(latitude=PLACE[0], longitude=PLACE[1]))


def make_location(latitude: float, longitude: float, minutes_ago: float = 0) -> DriverLocation:
    moment = timezone.now() - timedelta(minutes=minutes_ago)
    return DriverLocation(driver=make_driver(), latitude=latitude, longitude=longitude, recorded_at=moment)


def test_distance_matches_known_pair() -> None:
    # Taipei Main Station to Taipei 101.
    assert distance_km((25.0478, 121.5170), (25.0340, 121.5645)) == pytest.approx(5.02, abs=0.05)


def test_two_kilometres_take_five_to_fifteen_minutes(order: Order) -> None:
    assert estimate_arrival(order, make_location(25.0510, 121.5654), timezone.now()) == Minutes(least=5, most=15)


def test_driver_at_address_takes_at_most_five_minutes(order: Order) -> None:
    assert estimate_arrival(order, make_location(*PLACE), timezone.now()) == Minutes(least=0, most=5)


def test_stale_position_gives_no_estimate(order: Order) -> None:
    assert estimate_arrival(order, make_location(25.0510, 121.5654, minutes_ago=6), timezone.now()) is None


def test_missing_position_gives_no_estimate(order: Order) -> None:
    assert estimate_arrival(order, None, timezone.now()) is None


def test_other_delivery_address_gives_no_estimate(order: Order) -> None:
    order.delivery_address = "台北市中山區別處1號"
    assert estimate_arrival(order, make_location(25.0510, 121.5654), timezone.now()) is None
