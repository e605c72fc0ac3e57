"""Who may see and change what: the one place that REST, pages and sockets ask. What is not allowed here is refused."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_permission_codename
from django.contrib.auth.models import Permission
from django.db.models import Max, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from rest_framework.permissions import SAFE_METHODS, BasePermission

from orders.states import OPEN, Role, Status
from web.refusals import Refusal
from web.text import visible

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
    from django.db.models import QuerySet
    from rest_framework.request import Request
    from rest_framework.views import APIView

    from orders.models import Customer, Driver, Order, Product, Route

    Anyone = User | AnonymousUser | AbstractBaseUser

# How long the link in an SMS works after the delivery (or the end) of its order.
LINK_LIFE = timedelta(hours=24)


def driver_id(user: Anyone) -> int | None:
    """The id of the driver this user is, while active."""
    driver = getattr(user, "driver", None) if user.is_authenticated else None
    return driver.pk if driver is not None and driver.is_active else None


def customer_id(user: Anyone) -> int | None:
    """The id of the customer this user is, while active."""
    customer = getattr(user, "customer", None) if user.is_authenticated else None
    return customer.pk if customer is not None and customer.is_active else None


def password_mark(user: User) -> str:
    """What tells whether the password is still the same; it says nothing of it."""
    return user.get_session_auth_hash()[:16]


def is_office(user: Anyone) -> bool:
    return bool(user.is_active and getattr(user, "is_staff", False))


def roles(user: Anyone) -> frozenset[Role]:
    """Every role of a user; a deactivated one has none."""
    return frozenset(_roles(user))


def main_role(user: Anyone) -> Role | None:
    """The role a token or a connection speaks for, the widest first. For the office it needs no query."""
    return next(_roles(user), None)


def _roles(user: Anyone) -> Iterator[Role]:
    if not user.is_active:
        return
    if is_office(user):
        yield Role.OFFICE
    if driver_id(user):
        yield Role.DRIVER
    if customer_id(user):
        yield Role.CUSTOMER


def roles_towards(user: Anyone | None, order: Order) -> frozenset[Role]:
    """The roles in which a user may act on this order. The system itself (`None`: commands, import) acts as office.

    The office may do what any other may (a test holds `states.MOVES` to that), so of it nothing else is asked.
    """
    if user is None or is_office(user):
        return frozenset({Role.OFFICE})
    # By the order's own people, and not by two queries of the user's.
    own = {
        Role.DRIVER: user.is_active and order.driver is not None and _is(order.driver, user),
        Role.CUSTOMER: user.is_active and _is(order.customer, user),
    }
    return frozenset(role for role, is_own in own.items() if is_own)


def _is(person: Driver | Customer, user: Anyone) -> bool:
    return person.is_active and person.user_id is not None and person.user_id == user.pk


def visible_orders(user: Anyone, orders: QuerySet[Order]) -> QuerySet[Order]:
    """Those of `orders` the user may see: the office all, a driver and a customer their own."""
    match main_role(user):
        case Role.OFFICE:
            return orders
        case Role.DRIVER:
            return orders.filter(driver=driver_id(user))
        case Role.CUSTOMER:
            return orders.filter(customer=customer_id(user))
    return orders.none()


def readable_numbers(user: Anyone) -> Q:
    """Of which orders among the visible ones the user may know the customer's telephone number."""
    match main_role(user):
        case Role.OFFICE:
            return Q()
        case Role.DRIVER:
            return Q(status__in=OPEN)
    return Q(pk__in=[])


def linked_orders(token: str, orders: QuerySet[Order]) -> QuerySet[Order]:
    """The one of `orders` whose link, sent by SMS, has this token, until LINK_LIFE after its end."""
    ended_lately = Q(moved__gte=timezone.now() - LINK_LIFE)
    # NUL is no text to PostgreSQL, and in no token.
    linked = orders.filter(tracking_token=visible(token).replace("\0", "?")).annotate(moved=Max("history__recorded_at"))
    return linked.filter(Q(status__in=OPEN) | ended_lately)


def visible_customers(user: Anyone, customers: QuerySet[Customer]) -> QuerySet[Customer]:
    """The office sees all, a driver those to whom an open order of theirs goes."""
    match main_role(user):
        case Role.OFFICE:
            return customers
        case Role.DRIVER:
            return customers.filter(orders__driver=driver_id(user), orders__status__in=OPEN).distinct()
    return customers.none()


def visible_drivers(user: Anyone, drivers: QuerySet[Driver]) -> QuerySet[Driver]:
    """The office sees all, a driver the own record."""
    return drivers if is_office(user) else drivers.filter(pk=driver_id(user) or 0)


def visible_routes(user: Anyone, routes: QuerySet[Route]) -> QuerySet[Route]:
    """The office sees all, a driver the own ones."""
    return routes if is_office(user) else routes.filter(driver=driver_id(user) or 0)


def visible_products(user: Anyone, products: QuerySet[Product]) -> QuerySet[Product]:
    """The office sees all, others what is sold now."""
    return products if is_office(user) else products.filter(is_active=True)


# What a customer may say of an own order; the rest is the office's.
PLACED = frozenset({"items", "scheduled_date", "time_slot", "delivery_address", "notes", "ref"})
CHANGED = frozenset({"items", "scheduled_date", "time_slot", "notes", "version"})


def check_placing(user: Anyone, fields: Collection[str]) -> None:
    """Raises a Refusal unless the user may place an order and say `fields` of it."""
    held = roles(user)
    if Role.OFFICE in held:
        if "new_customer" in fields:
            check_right(user, ADD_CUSTOMER, "new_customer")
        return
    if Role.CUSTOMER not in held:
        raise Refusal("forbidden", _("Only the office and customers place orders."), status=403)
    _check_fields(set(fields) - PLACED)


def check_change(user: Anyone, order: Order, fields: Collection[str]) -> None:
    """Raises a Refusal unless the user may change `fields` of the order: a customer only before it is confirmed."""
    held = roles_towards(user, order)
    if Role.OFFICE in held:
        return
    if Role.CUSTOMER not in held:
        raise Refusal("forbidden", _("You may not make this change to the order."), status=403)
    if order.status != Status.PENDING:
        raise Refusal("forbidden", _("The order is already confirmed: please call us to change it."), status=403)
    _check_fields(set(fields) - CHANGED)


def check_naming_driver(held: Collection[Role]) -> None:
    """Raises a Refusal unless someone in one of these roles may say who drives an order."""
    if Role.OFFICE not in held:
        _check_fields({"driver"})


def check_right(user: Anyone, right: str, attr: str | None = None) -> None:
    """Raises a Refusal unless this member of staff has the right, by Django's name for it."""
    if not has_rights(user, [right]):
        raise Refusal("forbidden", _("Your account has not the right to do this."), attr=attr, status=403)


def _check_fields(forbidden: Collection[str]) -> None:
    if forbidden:
        raise Refusal("forbidden", _("Only the office may say this."), attr=min(forbidden), status=403)


# The right that each action of a resource asks for, by Django's name for it. Other actions that write name their own.
WRITES = {"create": "add", "partial_update": "change"}
CHANGE_ORDER, ADD_CUSTOMER = "orders.change_order", "orders.add_customer"


def rights_asked(request: Request, view: APIView) -> Collection[str] | None:
    """The rights, as the admin asks them, that staff need for this request; None: nobody said which, so nobody may.

    A view names them by method in `rights`, else they follow from the model of its rows.
    """
    method = "GET" if request.method in SAFE_METHODS else request.method or ""
    named: Mapping[str, Collection[str]] = getattr(view, "rights", {})
    if method in named:
        return named[method]
    rows: QuerySet[Any] | None = getattr(view, "queryset", None)
    action = "view" if method == "GET" else WRITES.get(getattr(view, "action", None) or "")
    if rows is None or action is None:
        return None
    meta = rows.model._meta
    return (f"{meta.app_label}.{get_permission_codename(action, meta)}",)


def has_rights(user: Anyone, rights: Collection[str]) -> bool:
    """Whether the user has all of these rights, its own or those of its groups, asked once for an object.

    As `user.has_perms`, in one query instead of two: nearly every request of the office asks.
    """
    if not user.is_active or getattr(user, "is_superuser", False) or not rights:
        return bool(user.is_active)
    held: set[str] | None = user.__dict__.get("rights_held")
    if held is None:
        named = Permission.objects.filter(Q(user=user.pk) | Q(group__user=user.pk)).order_by()
        held = {f"{app}.{codename}" for app, codename in named.values_list("content_type__app_label", "codename")}
        user.__dict__["rights_held"] = held
    return held.issuperset(rights)


def office_may(request: Request, view: APIView) -> bool:
    """Whether this member of staff has the rights; for a method that the view does not know they do not matter."""
    if not is_office(request.user):
        return False
    if not hasattr(view, (request.method or "").lower()):
        return True
    rights = rights_asked(request, view)
    return rights is not None and has_rights(request.user, rights)


class OfficeOnly(BasePermission):
    """The default of the API: who is not office, or has not the right, is refused."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return office_may(request, view)


class AnyRole(BasePermission):
    """Office with the right, driver or customer; the view narrows the rows with `visible_…`."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        role = main_role(request.user)
        return office_may(request, view) if role is Role.OFFICE else role is not None


class DriverOnly(BasePermission):
    """A driver, about the own orders."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return driver_id(request.user) is not None


class OfficeOrReader(BasePermission):
    """The office with the right; the roles named in `readers` may read what the view narrows to them."""

    readers: frozenset[Role] = frozenset({Role.DRIVER})

    def has_permission(self, request: Request, view: APIView) -> bool:
        if is_office(request.user):
            return office_may(request, view)
        return request.method in SAFE_METHODS and not self.readers.isdisjoint(roles(request.user))


class OfficeOrAnyReader(OfficeOrReader):
    readers = frozenset({Role.DRIVER, Role.CUSTOMER})
