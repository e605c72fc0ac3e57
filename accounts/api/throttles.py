"""How often somebody may ask, by role."""

from __future__ import annotations

from typing import TYPE_CHECKING

from accounts.roles import Side, side_of
from web.api.throttles import Throttle

if TYPE_CHECKING:
    from rest_framework.request import Request


class RoleThrottle(Throttle):
    def scope_of(self, request: Request) -> str:
        """The role; who has none is a customer."""
        if not request.user.is_authenticated:
            return "anonymous"
        return (side_of(request.user) or Side.CUSTOMER).value
