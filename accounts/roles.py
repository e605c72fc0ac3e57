"""Roles and their permissions, in one table that the API, pages, admin and sockets read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import NamedTuple

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.db.models import TextChoices
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from web.refusals import Refusal

Anyone = User | AnonymousUser | AbstractBaseUser


class Role(TextChoices):
    OWNER = "owner", _("owner")
    MANAGER = "manager", _("manager")
    CLERK = "clerk", _("clerk")
    DRIVER = "driver", _("driver")
    CUSTOMER = "customer", _("customer")


class Side(TextChoices):
    """The role in tokens, sockets and events, where owner, manager and clerk are all `office`."""

    OFFICE = "office", _("office")
    DRIVER = "driver", _("driver")
    CUSTOMER = "customer", _("customer")


class Reach(IntEnum):
    """The rows that a right covers: none, the user's own (`accounts.visibility` decides which), or all."""

    NO, OWN, ALL = range(3)


NO, OWN, ALL = Reach
STAFF = (Role.OWNER, Role.MANAGER, Role.CLERK)


class Row(NamedTuple):
    """The reach of one right for each role."""

    owner: Reach
    manager: Reach
    clerk: Reach
    driver: Reach
    customer: Reach


# Rights have Django's permission names where one exists; `has_perm` reads this table. Nobody has a right that is not
# in it, but Django's `has_perm` is always true for active superusers.
# fmt: off
RIGHTS: dict[str, Row] = {
    # view                                          owner manager clerk driver customer
    "orders.view_order":                         Row(ALL, ALL,    ALL,  OWN,   OWN),
    "orders.view_proofimage":                    Row(ALL, ALL,    ALL,  OWN,   NO),
    "customers.view_customer":                   Row(ALL, ALL,    ALL,  OWN,   NO),
    "catalogue.view_product":                    Row(ALL, ALL,    ALL,  OWN,   OWN),
    "dispatch.view_driver":                      Row(ALL, ALL,    ALL,  OWN,   NO),
    "dispatch.view_route":                       Row(ALL, ALL,    ALL,  OWN,   NO),
    "notifications.view_notificationhistory":    Row(ALL, ALL,    ALL,  NO,    NO),
    "notifications.view_full_number":            Row(ALL, ALL,    NO,   NO,    NO),
    "notifications.view_messagetemplate":        Row(ALL, ALL,    ALL,  NO,    NO),
    "notifications.view_gatewaystate":           Row(ALL, ALL,    ALL,  NO,    NO),
    "realtime.open_office":                      Row(ALL, ALL,    ALL,  NO,    NO),   # socket `office`, channel `staff`
    "realtime.view_event":                       Row(ALL, ALL,    NO,   NO,    NO),
    "realtime.view_websocketconnection":         Row(ALL, ALL,    NO,   NO,    NO),
    "web.view_systemmetric":                     Row(ALL, ALL,    ALL,  NO,    NO),
    "auth.view_user":                            Row(ALL, ALL,    NO,   NO,    NO),
    "axes.view_accessattempt":                   Row(ALL, ALL,    NO,   NO,    NO),
    "waffle.view_switch":                        Row(ALL, ALL,    NO,   NO,    NO),
    # add
    "orders.add_order":                          Row(ALL, ALL,    ALL,  NO,    OWN),
    "customers.add_customer":                    Row(ALL, ALL,    ALL,  NO,    NO),
    "catalogue.add_product":                     Row(ALL, ALL,    NO,   NO,    NO),
    "dispatch.add_driver":                       Row(ALL, ALL,    NO,   NO,    NO),   # also creates an account
    "dispatch.add_route":                        Row(ALL, ALL,    ALL,  NO,    NO),
    "auth.add_user":                             Row(ALL, ALL,    NO,   NO,    NO),
    # change
    "orders.change_order":                       Row(ALL, ALL,    ALL,  NO,    OWN),
    "orders.move_order":                         Row(ALL, ALL,    ALL,  OWN,   OWN),  # see `orders.states`
    "orders.deliver_order":                      Row(ALL, ALL,    ALL,  OWN,   NO),   # deliveries, proof images
    "dispatch.drive":                            Row(NO,  NO,     NO,   OWN,   NO),   # positions, driver's page
    "customers.change_customer":                 Row(ALL, ALL,    ALL,  NO,    NO),
    "catalogue.change_product":                  Row(ALL, ALL,    NO,   NO,    NO),   # also prices
    "dispatch.change_driver":                    Row(ALL, ALL,    NO,   NO,    NO),   # also drivers' passwords
    "dispatch.change_route":                     Row(ALL, ALL,    ALL,  NO,    NO),
    "notifications.change_messagetemplate":      Row(ALL, ALL,    NO,   NO,    NO),
    "notifications.change_gatewaystate":         Row(ALL, ALL,    NO,   NO,    NO),
    "auth.change_user":                          Row(ALL, ALL,    NO,   NO,    NO),
    "accounts.appoint_manager":                  Row(ALL, NO,     NO,   NO,    NO),   # also appoints owners
    "axes.delete_accessattempt":                 Row(ALL, ALL,    NO,   NO,    NO),   # unlocks an account
    "waffle.change_switch":                      Row(ALL, ALL,    NO,   NO,    NO),
    "health.clear_cache":                        Row(ALL, ALL,    NO,   NO,    NO),
    # export
    "orders.export_statistics":                  Row(ALL, ALL,    NO,   NO,    NO),
    "notifications.export_notificationhistory":  Row(ALL, ALL,    NO,   NO,    NO),
    # correct
    "orders.correct_order":                      Row(ALL, ALL,    NO,   NO,    NO),   # undo a delivery
    "catalogue.correct_stock":                   Row(ALL, ALL,    NO,   NO,    NO),
    # send
    "notifications.resend_notificationhistory":  Row(ALL, ALL,    ALL,  NO,    NO),
    "notifications.overrule_wish":               Row(ALL, ALL,    NO,   NO,    NO),
    "realtime.publish_event":                    Row(ALL, ALL,    NO,   NO,    NO),
}
# fmt: on
NOBODY = Row(NO, NO, NO, NO, NO)
PLACE = {role: place for place, role in enumerate(Role)}


def driver_id(user: Anyone) -> int | None:
    """The id of the user's driver; None if the user has no driver or an inactive one."""
    driver = getattr(user, "driver", None) if user.is_authenticated else None
    return driver.pk if driver is not None and driver.is_active else None


def customer_id(user: Anyone) -> int | None:
    """The id of the user's customer; None if the user has no customer or an inactive one."""
    customer = getattr(user, "customer", None) if user.is_authenticated else None
    return customer.pk if customer is not None and customer.is_active else None


def password_mark(user: User) -> str:
    """A hash that changes with the password, to detect a change. It does not reveal the password."""
    return user.get_session_auth_hash()[:16]


def is_office(user: Anyone) -> bool:
    return bool(user.is_active and getattr(user, "is_staff", False))


def staff_role(user: Anyone) -> Role | None:
    """Owner, manager or clerk; None for inactive users and users who are not staff."""
    return appointed_role(user) if is_office(user) else None


def appointed_role(user: Anyone) -> Role | None:
    """Owner, manager or clerk, also for inactive accounts; None for others.

    Staff without a `StaffRole` are clerks. A superuser is an owner, whatever the `StaffRole`. Needs a query if the user
    was loaded without `staff_role`.
    """
    if getattr(user, "is_superuser", False):
        return Role.OWNER
    if not getattr(user, "is_staff", False):
        return None
    row = getattr(user, "staff_role", None)
    return Role(row.role) if row is not None else Role.CLERK


def roles(user: Anyone) -> Iterator[Role]:
    """All roles of a user, the widest first, looked up lazily. Inactive users have none."""
    if not user.is_active:
        return
    if (staff := staff_role(user)) is not None:
        yield staff
    if driver_id(user):
        yield Role.DRIVER
    if customer_id(user):
        yield Role.CUSTOMER


def side_of_role(role: Role) -> Side:
    return Side.OFFICE if role in STAFF else Side(role.value)


def side_of(user: Anyone) -> Side | None:
    """The side of the user's widest role; None without a role. Needs no query for the office."""
    if is_office(user):
        return Side.OFFICE
    return next(map(side_of_role, roles(user)), None)


def reach_of(held: Iterable[Role], right: str) -> Reach:
    """The widest reach of the right among these roles, which must be in the order of `Role`."""
    row, farthest = RIGHTS.get(right, NOBODY), NO
    for role in held:
        place = PLACE[role]
        farthest = max(farthest, row[place])
        if farthest >= max(row[place + 1 :], default=NO):
            break  # no later role reaches farther, so it need not be looked up
    return farthest


def reach(user: Anyone, right: str) -> Reach:
    return reach_of(roles(user), right)


def may(user: Anyone, right: str) -> bool:
    """Whether the user has the right to all rows, like `user.has_perm`."""
    return reach(user, right) is ALL


def check_right(user: Anyone, right: str, attr: str | None = None) -> None:
    """Raises a Refusal unless the user has the right to all rows."""
    if not may(user, right):
        raise refusal_for(right, attr, least=ALL)


def check_page(user: Anyone, right: str) -> None:
    """As `check_right`, for pages: raises PermissionDenied with a sentence that says which roles have the right."""
    if not may(user, right):
        raise PermissionDenied(str(who_may(right, ALL)))


def refusal_for(right: str, attr: str | None = None, status: int = 403, *, least: Reach = OWN) -> Refusal:
    return Refusal("forbidden", who_may(right, least), attr=attr, status=status)


def no_role(status: int = 403) -> Refusal:
    """The Refusal for an account that is neither staff, nor an active driver, nor an active customer."""
    detail = _("Your account has no role at the moment. You can only change your password. Please ask the office.")
    return Refusal("no_role", detail, status=status)


_OFFICE_ONLY = frozenset(STAFF)
SENTENCES: dict[frozenset[Role], Promise] = {
    frozenset({Role.OWNER}): _("Only the owner may do this."),
    frozenset({Role.OWNER, Role.MANAGER}): _("Only a manager or the owner may do this."),
    _OFFICE_ONLY: _("Only the office may do this."),
    _OFFICE_ONLY | {Role.DRIVER}: _("Only the office and drivers may do this."),
    _OFFICE_ONLY | {Role.CUSTOMER}: _("Only the office and customers may do this."),
    frozenset({Role.DRIVER}): _("Only drivers may do this."),
    frozenset(): _("Nobody may do this."),
}


def who_may(right: str, least: Reach = OWN) -> Promise:
    """A sentence that says which roles have the right, with at least this reach."""
    row = RIGHTS.get(right, NOBODY)
    holders = frozenset(role for role in Role if getattr(row, role.value) >= least)
    return SENTENCES.get(holders, _("Your account may not do this."))
