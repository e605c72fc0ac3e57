"""Who may call a view of the API, and how often. A call that names no right is refused to all."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_permission_codename
from django.db.models import QuerySet
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts.roles import ALL, OWN, Side, no_role, reach, refused, roles, side_of
from web import throttling
from web.throttling import wait_for

if TYPE_CHECKING:
    from rest_framework.views import APIView  # which imports this module

# The right that each action of a resource asks for, by Django's name for it. Other actions that write name their own.
WRITES = {"create": "add", "partial_update": "change"}
UNNAMED = "(no right)"


def rights_asked(request: Request, view: APIView) -> Collection[str]:
    """The rights that this request needs. A view names them by method in `rights`, else they follow from its model."""
    method = "GET" if request.method in SAFE_METHODS else request.method or ""
    named: Mapping[str, Collection[str]] = getattr(view, "rights", {})
    if method in named:
        return named[method]
    rows: QuerySet[Any] | None = getattr(view, "queryset", None)
    action = "view" if method == "GET" else WRITES.get(getattr(view, "action", None) or "")
    if rows is None or action is None:
        return (UNNAMED,)
    meta = rows.model._meta
    return (f"{meta.app_label}.{get_permission_codename(action, meta)}",)


class ByRole(BasePermission):
    """The default. Raises a Refusal that says who may.

    A right to own rows is enough, and the view narrows the rows (`accounts.visibility`), unless it says `all_rows`.
    For a method that the view does not know, rights do not matter: it answers 405.
    """

    def has_permission(self, request: Request, view: APIView) -> bool:
        user = request.user
        if not user.is_authenticated:
            return False
        if next(roles(user), None) is None:
            raise no_role()
        known = hasattr(view, (request.method or "").lower())
        least = ALL if getattr(view, "all_rows", False) else OWN
        for right in rights_asked(request, view) if known else ():
            if reach(user, right) < least:
                raise refused(right)
        return True


class RoleThrottle(BaseThrottle):
    """By the view's own `throttle_scope`, else by the role of who calls: a user is counted, or a stranger's address.

    Who has no role is a customer.
    """

    seconds: int | None = None

    def allow_request(self, request: Request, view: APIView) -> bool:
        user = request.user
        who: int | str | None = throttling.address_of(request._request)
        scope = "anonymous"
        if user.is_authenticated:
            who, scope = user.pk, (side_of(user) or Side.CUSTOMER).value
        self.seconds = wait_for(getattr(view, "throttle_scope", None) or scope, who)
        return self.seconds is None

    def wait(self) -> float | None:
        return self.seconds
