"""Functions that create test data."""

from __future__ import annotations

import itertools
from datetime import date
from typing import Any

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.utils import timezone
from waffle.models import Switch

from accounts.models import StaffRole
from accounts.roles import Role
from catalogue.models import Product
from customers.models import Customer
from dispatch.models import Driver, Route
from orders.models import Order, OrderItem
from orders.states import OrderStatus

_count = itertools.count(1)
# The hash is computed once, because hashing is slow on purpose, and outside of tests, which may set other hashers.
PASSWORD = "correct horse"
HASHED_PASSWORD = make_password(PASSWORD)
# The delivery date of test orders. It is far in the future, because customers get no SMS about overdue orders.
TODAY = date(2099, 11, 23)
# The statuses of the shortest path to each status.
PATH_TO = {
    OrderStatus.PENDING: [],
    OrderStatus.CONFIRMED: [OrderStatus.CONFIRMED],
    OrderStatus.ASSIGNED: [OrderStatus.CONFIRMED, OrderStatus.ASSIGNED],
    OrderStatus.DELIVERING: [OrderStatus.CONFIRMED, OrderStatus.ASSIGNED, OrderStatus.DELIVERING],
    OrderStatus.ARRIVING: [OrderStatus.CONFIRMED, OrderStatus.ASSIGNED, OrderStatus.DELIVERING, OrderStatus.ARRIVING],
    OrderStatus.DELIVERED: [
        OrderStatus.CONFIRMED,
        OrderStatus.ASSIGNED,
        OrderStatus.DELIVERING,
        OrderStatus.ARRIVING,
        OrderStatus.DELIVERED,
    ],
    OrderStatus.FAILED: [OrderStatus.CONFIRMED, OrderStatus.ASSIGNED, OrderStatus.DELIVERING, OrderStatus.FAILED],
    OrderStatus.CANCELLED: [OrderStatus.CANCELLED],
}


def make_user(**fields: Any) -> User:
    return User.objects.create(**({"username": f"user{next(_count)}", "password": HASHED_PASSWORD} | fields))


def make_staff(role: Role | str = Role.CLERK, **fields: Any) -> User:
    """A user with one of the office roles: owner, manager or clerk."""
    user = make_user(is_staff=True, **fields)
    # `bulk_create` sends no signal, so that no change of permissions is announced.
    StaffRole.objects.bulk_create([StaffRole(user=user, role=Role(role))])
    return user


def make_office(**fields: Any) -> User:
    """A manager, who has nearly all permissions. Tests about permissions call `make_staff` with a role."""
    return make_staff(Role.MANAGER, **fields)


def set_switch(name: str, active: bool) -> None:
    """Turns a switch on or off, as the admin does."""
    Switch.objects.update_or_create(name=name, defaults={"active": active})


def make_driver(**fields: Any) -> Driver:
    user = fields.pop("user", None) or make_user()
    return Driver.objects.create(**({"user": user, "name": f"司機{next(_count)}", "phone": "0911-222-333"} | fields))


def make_customer(**fields: Any) -> Customer:
    number = next(_count)
    usual = {"name": f"王小姐{number}", "phone": f"0912-{number // 1000:03d}-{number % 1000:03d}"}
    return Customer.objects.create(**(usual | {"address": f"台北市大安區信義路四段{number}號"} | fields))


def make_product(**fields: Any) -> Product:
    number = next(_count)
    usual = {"code": f"P{number}", "name": "20kg 瓦斯桶", "cylinder_kg": 20, "price": 800, "stock": 100}
    return Product.objects.create(**(usual | fields))


def make_route(**fields: Any) -> Route:
    return Route.objects.create(**({"date": timezone.localdate(), "name": f"大安{next(_count)}"} | fields))


def make_order(
    status: str = OrderStatus.PENDING, *, quantity: int = 1, product: Product | None = None, **fields: Any
) -> Order:
    """An order with one item, moved to `status` by the system along the shortest allowed path."""
    driver = fields.pop("driver", None)
    customer = fields.pop("customer", None) or make_customer()
    order = Order(**({"customer": customer, "scheduled_date": TODAY} | fields))
    product = product or make_product()
    order.amount_due = product.price * quantity
    order.save()
    OrderItem.objects.create(order=order, product=product, quantity=quantity)
    for step in PATH_TO[OrderStatus(status)]:
        extra = {"driver": driver or make_driver()} if step == OrderStatus.ASSIGNED else {}
        order.transition_to(step, reason="測試", **extra)
    return order
