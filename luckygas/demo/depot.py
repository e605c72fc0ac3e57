"""The data of `manage.py demo`: a small depot on an ordinary day, with orders in every status.

The passwords are public, and each run prints them. So the command needs `--force` unless the site uses SQLite and
ALLOWED_HOSTS has only loopback hosts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from random import Random

from django.contrib.auth.models import User
from django.utils import timezone

from accounts.models import StaffRole
from accounts.roles import STAFF, Role
from catalogue.models import Product
from customers.models import Customer
from dispatch.models import Driver, DriverLocation, Route, RouteStatus
from importing.importer import Track, import_orders
from importing.report import Report
from orders.models import Order
from orders.models.order import Proof
from orders.states import OrderStatus


@dataclass(frozen=True, slots=True)
class DemoAccount:
    role: Role
    username: str
    password: str
    name: str
    phone: str = ""
    plate: str = ""


OFFICE = DemoAccount(Role.OWNER, "office", "office-demo", "林老闆")
MANAGER = DemoAccount(Role.MANAGER, "manager", "manager-demo", "王店長")
CLERK = DemoAccount(Role.CLERK, "clerk", "clerk-demo", "張雅婷")
CUSTOMER = DemoAccount(Role.CUSTOMER, "customer", "customer-demo", "")
DRIVERS = [
    DemoAccount(Role.DRIVER, "driver", "driver-demo", "陳志明", "0900-020-001", "AKT-2301"),
    DemoAccount(Role.DRIVER, "driver2", "driver2-demo", "黃建宏", "0900-020-002", "BDH-5162"),
    DemoAccount(Role.DRIVER, "driver3", "driver3-demo", "吳俊傑", "0900-020-003", "RBC-7718"),
]
ACCOUNTS = [OFFICE, MANAGER, CLERK, *DRIVERS, CUSTOMER]


def make_user(account: DemoAccount) -> User:
    is_staff = account.role in STAFF
    user = User.objects.create_user(
        account.username, password=account.password, first_name=account.name, is_staff=is_staff
    )
    if is_staff:
        StaffRole.give(user, account.role)
    return user


def make_drivers() -> list[Driver]:
    return [
        Driver.objects.create(
            user=make_user(account), name=account.name, phone=account.phone, vehicle_plate=account.plate
        )
        for account in DRIVERS
    ]


# kg, NT$, stock, low-stock threshold, further names.
CYLINDERS = [
    (4, 260, 60, 10, ("小桶4",)),
    (10, 450, 80, 15, ()),
    (16, 640, 120, 25, ()),
    (20, 760, 200, 40, ()),
    (50, 1_850, 55, 15, ("大桶50", "大桶")),
]


def make_products() -> None:
    for kg, price, stock, low, more in CYLINDERS:
        Product.objects.create(
            code=f"LPG{kg}", name=f"{kg}kg 瓦斯桶", cylinder_kg=kg, price=price, stock=stock, low_stock_threshold=low,
            aliases="\n".join((f"{kg}kg", f"{kg}公斤", f"{kg}公斤瓦斯", f"{kg}公斤瓦斯桶", *more)),
        )  # fmt: skip


# The centre of each district: latitude and longitude in degrees, WGS 84.
DISTRICTS = {
    "大安區": (25.0265, 121.5436), "中正區": (25.0324, 121.5180), "信義區": (25.0339, 121.5645),
    "文山區": (24.9890, 121.5700), "永和區": (25.0095, 121.5160), "中和區": (24.9990, 121.4985),
    "新店區": (24.9680, 121.5410), "板橋區": (25.0115, 121.4620), "三重區": (25.0615, 121.4880),
}  # fmt: skip
# How far a customer may be from the centre in each direction, in degrees; about a kilometre.
SPREAD = 0.009


def place_customers() -> None:
    """Gives each customer without a position one near the centre of their district, if DISTRICTS has it.

    It depends only on the address, so it is the same in every demo.
    """
    customers = list(Customer.objects.filter(area__in=DISTRICTS, latitude=None).order_by("id"))
    for customer in customers:
        chance = Random(customer.address)  # noqa: S311  (a demo, not a secret)
        middle = DISTRICTS[customer.area]
        customer.latitude, customer.longitude = (place + chance.uniform(-SPREAD, SPREAD) for place in middle)
    # No events: no screen is open yet.
    Customer.objects.unannounced().bulk_update(customers, ["latitude", "longitude"])


HERE = Path(__file__).parent
# File, encoding, format of its dates, its date.
FIRST = ("orders-2026-11-23.csv", "utf-8-sig", "%Y-%m-%d", date(2026, 11, 23))
SECOND = ("orders-2026-11-24-big5.csv", "cp950", "%Y/%m/%d", date(2026, 11, 24))


def import_sheets(today: date, track: Track) -> list[Report]:
    reports = []
    for (name, encoding, date_format, own_day), day in ((FIRST, today), (SECOND, today + timedelta(days=1))):
        text = (HERE / name).read_bytes().decode(encoding)
        moved = text.replace(own_day.strftime(date_format), day.strftime(date_format))
        reports.append(import_orders(moved.encode(encoding), track=track))
    return reports


# The statuses that a driver reports until the delivery, in order.
REPORTED = (OrderStatus.DELIVERING, OrderStatus.ARRIVING, OrderStatus.DELIVERED)
# Name of the route and the status of each stop. Few stops, because each confirmed order sends an SMS.
ROUTES = [
    ("大安", [OrderStatus.DELIVERED, OrderStatus.ARRIVING, OrderStatus.DELIVERING, OrderStatus.ASSIGNED]),
    ("中正", [OrderStatus.FAILED, OrderStatus.ASSIGNED, OrderStatus.ASSIGNED]),
]
# Each driver's position, latitude and longitude in degrees, WGS 84: near 大安, 中正 and 信義.
POSITIONS = [(25.0330, 121.5436), (25.0324, 121.5180), (25.0339, 121.5645)]


@dataclass(frozen=True, slots=True)
class DemoStaff:
    office: User
    drivers: Sequence[Driver]


def advance_orders(staff: DemoStaff, today: date) -> None:
    """Gives every driver a position, two drivers a route, some orders a later status, and one customer an account."""
    for driver, (latitude, longitude) in zip(staff.drivers, POSITIONS, strict=True):
        DriverLocation.objects.create(driver=driver, latitude=latitude, longitude=longitude, recorded_at=timezone.now())
    for driver, (area, stops) in zip(staff.drivers, ROUTES, strict=False):
        _drive_route(staff, driver, Route(date=today, name=area, driver=driver, status=RouteStatus.ACTIVE), stops)
    waiting = Order.objects.filter(scheduled_date=today, status=OrderStatus.PENDING).order_by("-id")
    confirmed, cancelled = waiting[:2]
    confirmed.transition_to(OrderStatus.CONFIRMED, by=staff.office)
    cancelled.transition_to(OrderStatus.CANCELLED, by=staff.office, reason="客戶改日再訂")
    _create_customer_account()


def _drive_route(staff: DemoStaff, driver: Driver, route: Route, stops: Sequence[OrderStatus]) -> None:
    route.save()
    orders = Order.objects.filter(scheduled_date=route.date, area=f"{route.name}區", status=OrderStatus.PENDING)
    # Customers with a mobile number, urgent orders first.
    reachable = orders.filter(customer__phone__startswith="+8869").order_by("-priority", "id")[: len(stops)]
    for number, (order, status) in enumerate(zip(reachable, stops, strict=True), 1):
        order.route, order.stop_sequence = route, number
        order.save()
        order.transition_to(OrderStatus.CONFIRMED, by=staff.office)
        order.assign(driver, by=staff.office)
        _report(order, driver, status)


def _report(order: Order, driver: Driver, status: OrderStatus) -> None:
    """Makes the driver's reports that lead an assigned order to `status`; none for an order that stays assigned."""
    if status == OrderStatus.FAILED:
        order.transition_to(OrderStatus.DELIVERING, by=driver.user)
        order.transition_to(OrderStatus.FAILED, by=driver.user, reason="按鈴無人應門")
    elif status in REPORTED:
        for step in REPORTED[: REPORTED.index(status) + 1]:
            proof = Proof(parts={"amount_collected": order.amount_due}) if step == OrderStatus.DELIVERED else None
            order.transition_to(step, by=driver.user, proof=proof)


def _create_customer_account() -> None:
    """Gives an account to the customer whose driver is arriving, so that the account has an order on the way."""
    customer = Order.objects.get(status=OrderStatus.ARRIVING).customer
    customer.user = make_user(CUSTOMER)
    customer.save()
