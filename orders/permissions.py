"""Who may see and change what: the one place that REST, pages and sockets ask. What is not allowed here is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework.permissions import SAFE_METHODS, BasePermission

from orders.states import Role

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
    from django.db.models import QuerySet
    from rest_framework.request import Request
    from rest_framework.views import APIView

    from orders.models import Order

    Anyone = User | AnonymousUser | AbstractBaseUser


def driver_id(user: Anyone) -> int | None:
    """The id of the driver this user is, while active."""
    driver = getattr(user, "driver", None) if user.is_authenticated else None
    return driver.pk if driver is not None and driver.is_active else None


def customer_id(user: Anyone) -> int | None:
    """The id of the customer this user is, while active."""
    customer = getattr(user, "customer", None) if user.is_authenticated else None
    return customer.pk if customer is not None and customer.is_active else None


def is_office(user: Anyone) -> bool:
    return bool(user.is_active and getattr(user, "is_staff", False))


def roles(user: Anyone) -> frozenset[Role]:
    """Every role of a user; a deactivated one has none."""
    if not user.is_active:
        return frozenset()
    held = {Role.OFFICE: is_office(user), Role.DRIVER: driver_id(user), Role.CUSTOMER: customer_id(user)}
    return frozenset(role for role, holds in held.items() if holds)


def main_role(user: Anyone) -> Role | None:
    """The role a token or a connection speaks for, the widest first."""
    held = roles(user)
    return next((role for role in Role if role in held), None)


def roles_towards(user: Anyone | None, order: Order) -> frozenset[Role]:
    """The roles in which a user may act on this order. The system itself (`None`: commands, import) acts as office."""
    if user is None:
        return frozenset({Role.OFFICE})
    own = {
        Role.OFFICE: True,
        Role.DRIVER: order.driver_id is not None and order.driver_id == driver_id(user),
        Role.CUSTOMER: order.customer_id == customer_id(user),
    }
    return frozenset(role for role in roles(user) if own[role])


def visible_orders(user: Anyone, orders: QuerySet[Order]) -> QuerySet[Order]:
    """Those of `orders` the user may see: the office all, a driver and a customer their own."""
    held = roles(user)
    if Role.OFFICE in held:
        return orders
    if Role.DRIVER in held:
        return orders.filter(driver=driver_id(user) or 0)
    if Role.CUSTOMER in held:
        return orders.filter(customer=customer_id(user) or 0)
    return orders.none()


class OfficeOnly(BasePermission):
    """The default of the API: who is not office is refused."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return is_office(request.user)


class AnyRole(BasePermission):
    """Office, driver or customer; the view narrows the rows with `visible_orders`."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return bool(roles(request.user))


class OfficeOrOwnDriver(BasePermission):
    """The office; a driver may read what is their own (the view narrows the rows)."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        held = roles(request.user)
        return Role.OFFICE in held or (Role.DRIVER in held and request.method in SAFE_METHODS)

    def has_object_permission(self, request: Request, view: APIView, obj: Any) -> bool:
        return is_office(request.user) or getattr(obj, "driver_id", obj.pk) == driver_id(request.user)
