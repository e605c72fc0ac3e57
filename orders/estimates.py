"""Estimates when a driver arrives at the address of an order, as a range of minutes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import asin, cos, radians, sin, sqrt

from dispatch.models import DriverLocation
from orders.models.order import Order

# Maximum age of a position. An older one gives no estimate.
MAX_AGE_FOR_ESTIMATE = timedelta(minutes=5)
# Mean radius of the earth.
EARTH_KM = 6371.0
# Usual speed range of a lorry in town. DETOUR converts a straight line into the distance by road.
FASTEST_KMH, SLOWEST_KMH, DETOUR = 30.0, 12.0, 1.4
# Both ends of the range are multiples of this: customers read “about 10–25 minutes”. A range such as 11–23 minutes
# would promise too much.
ROUND_MINUTES = 5


@dataclass(frozen=True, slots=True)
class Minutes:
    """Minutes from now until the driver arrives: at least `least`, at most `most`."""

    least: int
    most: int


def estimate_arrival(order: Order, location: DriverLocation | None, now: datetime) -> Minutes | None:
    """Estimates how long a driver at `location` takes to the order's address.

    None if the position is missing or older than MAX_AGE_FOR_ESTIMATE, or if the address has no coordinates.
    """
    place = order_coordinates(order)
    if location is None or now - location.recorded_at > MAX_AGE_FOR_ESTIMATE or place is None:
        return None
    km = DETOUR * distance_km((location.latitude, location.longitude), place)
    least = ROUND_MINUTES * math.floor(km / FASTEST_KMH * 60 / ROUND_MINUTES)
    most = ROUND_MINUTES * (math.floor(km / SLOWEST_KMH * 60 / ROUND_MINUTES) + 1)
    return Minutes(least, most)


def address_coordinates(
    address: str, home: str, latitude: float | None, longitude: float | None
) -> tuple[float, float] | None:
    """Latitude and longitude of a delivery address; None if they are unknown.

    The given coordinates are those of `home`, the customer's own address. Another address has none.
    """
    return None if address != home or latitude is None or longitude is None else (latitude, longitude)


def order_coordinates(order: Order) -> tuple[float, float] | None:
    home = order.customer
    return address_coordinates(order.delivery_address, home.address, home.latitude, home.longitude)


def distance_km(start: tuple[float, float], end: tuple[float, float]) -> float:
    """Straight-line distance between two (latitude, longitude) pairs in degrees, WGS 84 (haversine)."""
    (lat1, lon1), (lat2, lon2) = (tuple(map(radians, place)) for place in (start, end))
    half = sin((lat2 - lat1) / 2) ** 2 + cos(lat1) * cos(lat2) * sin((lon2 - lon1) / 2) ** 2
    return 2 * EARTH_KM * asin(sqrt(half))
