"""How often somebody may ask, by role."""

from __future__ import annotations

from rest_framework.request import Request

from accounts.roles import Side, side_of
from web.api.throttles import Throttle


class RoleThrottle(Throttle):
    def scope_of(self, request: Request) -> str:
        """The role; who has none is a customer."""
        if not request.user.is_authenticated:
            return "anonymous"
        return (side_of(request.user) or Side.CUSTOMER).value
