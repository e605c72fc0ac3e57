"""Which roles may call a view of the API. What is not allowed here is refused."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_permission_codename
from rest_framework.permissions import SAFE_METHODS, BasePermission

from accounts.roles import Side, driver_id, has_rights, is_office, side_of, sides

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request
    from rest_framework.views import APIView

# The right that each action of a resource asks for, by Django's name for it. Other actions that write name their own.
WRITES = {"create": "add", "partial_update": "change"}


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
        role = side_of(request.user)
        return office_may(request, view) if role is Side.OFFICE else role is not None


class DriverOnly(BasePermission):
    """A driver, about the own orders."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return driver_id(request.user) is not None


class OfficeOrReader(BasePermission):
    """The office with the right; the sides named in `readers` may read what the view narrows to them."""

    readers: frozenset[Side] = frozenset({Side.DRIVER})

    def has_permission(self, request: Request, view: APIView) -> bool:
        if is_office(request.user):
            return office_may(request, view)
        return request.method in SAFE_METHODS and not self.readers.isdisjoint(sides(request.user))


class OfficeOrAnyReader(OfficeOrReader):
    readers = frozenset({Side.DRIVER, Side.CUSTOMER})
