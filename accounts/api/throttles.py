"""How often somebody may ask, by role."""

from __future__ import annotations

from rest_framework.request import Request

from accounts.roles import Role, main_role
from web.api.throttles import Throttle


class RoleThrottle(Throttle):
    def scope_of(self, request: Request) -> str:
        """The role; who has none is a customer."""
        if not request.user.is_authenticated:
            return "anonymous"
        return (main_role(request.user) or Role.CUSTOMER).value
