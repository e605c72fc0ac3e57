"""Permission and throttle classes of the API.

A call needs the rights that the view's `rights` lists for its method. If it lists none, the call needs the permission
for the view's model. A view without a list and without a model is refused to everybody.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_permission_codename
from django.db.models import QuerySet
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts.roles import ALL, OWN, Side, no_role, reach, refusal_for, roles, side_of
from web import throttling
from web.throttling import wait_for

if TYPE_CHECKING:
    from rest_framework.views import APIView  # imports this module at run time

# The permission that each action of a resource needs, by Django's name. Other writing actions list theirs in `rights`.
WRITES = {"create": "add", "partial_update": "change"}
UNNAMED = "(no right)"


def required_rights(request: Request, view: APIView) -> Collection[str]:
    """The view's `rights` for the method, else the permission for its model, else UNNAMED, which nobody has."""
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
    """The default permission class. If a right is missing, raises a Refusal that says which roles have it.

    A right to own rows is enough, because the view then filters its rows (`accounts.visibility`); with `all_rows` it is
    not. Methods that the view does not have are let through, so that they get a 405.
    """

    def has_permission(self, request: Request, view: APIView) -> bool:
        user = request.user
        if not user.is_authenticated:
            return False
        if next(roles(user), None) is None:
            raise no_role()
        known = hasattr(view, (request.method or "").lower())
        least = ALL if getattr(view, "all_rows", False) else OWN
        for right in required_rights(request, view) if known else ():
            if reach(user, right) < least:
                raise refusal_for(right, least=least)
        return True


class RoleThrottle(BaseThrottle):
    """Limits by the view's `throttle_scope`, else by the caller's role (`anonymous` without sign-in).

    Users without a role count as customers. Counts requests for each user, and without sign-in for each address.
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
