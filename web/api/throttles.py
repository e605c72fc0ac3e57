"""The API's throttle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.throttling import BaseThrottle

from web import client_address
from web.throttling import wait_for

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.views import APIView


class Throttle(BaseThrottle):
    """By the view's own `throttle_scope`, else by who calls; a user is counted, or a stranger's address."""

    seconds: int | None = None

    def allow_request(self, request: Request, view: APIView) -> bool:
        user = request.user
        who = user.pk if user.is_authenticated else client_address.of_request(request._request)
        self.seconds = wait_for(getattr(view, "throttle_scope", None) or self.scope_of(request), who)
        return self.seconds is None

    def wait(self) -> float | None:
        return self.seconds

    def scope_of(self, request: Request) -> str:
        raise NotImplementedError
