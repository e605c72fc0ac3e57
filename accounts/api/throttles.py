"""How often somebody may ask the API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.throttling import BaseThrottle

from accounts.roles import Side, side_of
from web import throttling
from web.throttling import wait_for

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.views import APIView


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
