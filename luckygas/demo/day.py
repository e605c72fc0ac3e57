"""What has happened so far on the demo's day: two drivers are out, and every status occurs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.contrib.auth.models import User
from django.utils import timezone

from dispatch.models import Driver, DriverLocation, Route, RouteStatus
from luckygas.demo.accounts import CUSTOMER, make_user
from orders.models import Order
from orders.models.order import Proof
from orders.states import Status

ON_THE_WAY = (Status.DELIVERING, Status.ARRIVING, Status.DELIVERED)
# Few, because each confirmed order is an SMS: name of the route, and how far each stop has come.
ROUTES = [
    ("大安", [Status.DELIVERED, Status.ARRIVING, Status.DELIVERING, Status.ASSIGNED]),
    ("中正", [Status.FAILED, Status.ASSIGNED, Status.ASSIGNED]),
]
# Near 大安, 中正 and 信義, degrees WGS 84.
POSITIONS = [(25.0330, 121.5436), (25.0324, 121.5180), (25.0339, 121.5645)]


@dataclass(frozen=True, slots=True)
class Crew:
    office: User
    drivers: Sequence[Driver]


def play(crew: Crew, today: date) -> None:
    """Moves some of today's orders through their lives, and gives one customer an account."""
    for driver, (latitude, longitude) in zip(crew.drivers, POSITIONS, strict=True):
        DriverLocation.objects.create(driver=driver, latitude=latitude, longitude=longitude, recorded_at=timezone.now())
    for driver, (area, stops) in zip(crew.drivers, ROUTES, strict=False):
        _drive(crew, driver, Route(date=today, name=area, driver=driver, status=RouteStatus.ACTIVE), stops)
    waiting = Order.objects.filter(scheduled_date=today, status=Status.PENDING).order_by("-id")
    confirmed, cancelled = waiting[:2]
    confirmed.transition_to(Status.CONFIRMED, by=crew.office)
    cancelled.transition_to(Status.CANCELLED, by=crew.office, reason="客戶改日再訂")
    _give_account()


def _drive(crew: Crew, driver: Driver, route: Route, stops: Sequence[Status]) -> None:
    route.save()
    orders = Order.objects.filter(scheduled_date=route.date, area=f"{route.name}區", status=Status.PENDING)
    # Urgent ones first, and those that an SMS can reach.
    reachable = orders.filter(customer__phone__startswith="+8869").order_by("-priority", "id")[: len(stops)]
    for number, (order, status) in enumerate(zip(reachable, stops, strict=True), 1):
        order.route, order.stop_sequence = route, number
        order.save()
        order.transition_to(Status.CONFIRMED, by=crew.office)
        order.assign(driver, by=crew.office)
        _bring(order, driver, status)


def _bring(order: Order, driver: Driver, status: Status) -> None:
    """From assigned to `status`, as the driver reports it."""
    if status == Status.FAILED:
        order.transition_to(Status.DELIVERING, by=driver.user)
        order.transition_to(Status.FAILED, by=driver.user, reason="按鈴無人應門")
    elif status in ON_THE_WAY:
        for step in ON_THE_WAY[: ON_THE_WAY.index(status) + 1]:
            proof = Proof(parts={"amount_collected": order.amount_due}) if step == Status.DELIVERED else None
            order.transition_to(step, by=driver.user, proof=proof)


def _give_account() -> None:
    """To the customer whose driver is about to arrive: there is something to watch."""
    customer = Order.objects.get(status=Status.ARRIVING).customer
    customer.user = make_user(CUSTOMER)
    customer.save()
