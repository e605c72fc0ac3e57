"""The health of the system over HTTP (README, “Health”)."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, JsonResponse
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.permissions import ByRole
from health import parts
from health.probes import Answer, Health
from health.rights import SEE_HEALTH


class Monitor(AnonymousUser):
    """Whoever holds MONITORING_TOKEN: may read these pages and nothing else."""


class MonitorAuthentication(BaseAuthentication):
    """`Authorization: Bearer` with the monitoring token. Anything else is left to those behind it."""

    def authenticate(self, request: Request) -> tuple[Monitor, None] | None:
        kind, _, given = request.headers.get("Authorization", "").partition(" ")
        token = settings.MONITORING_TOKEN
        known = token and kind == "Bearer" and hmac.compare_digest(given.encode(), token.encode())
        return (Monitor(), None) if known else None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class MonitorOrByRole(ByRole):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return isinstance(request.user, Monitor) or super().has_permission(request, view)


class HealthView(APIView):
    """200, or 503 when what it tells of does not work."""

    authentication_classes = [MonitorAuthentication, *APIView.authentication_classes]
    permission_classes = [MonitorOrByRole]
    rights = {"GET": [SEE_HEALTH]}
    # Whoever watches is never told to wait, and no query stands before a probe's time limit.
    throttle_classes: list[Any] = []
    schema = None  # for monitors, not for clients: described in the README
    tell: Callable[[], Answer] = staticmethod(parts.summary)

    def get(self, request: Request) -> Response:
        answer = self.tell()
        return Response(answer, status=503 if answer["status"] == Health.UNHEALTHY else 200)


class ReadyView(HealthView):
    """Open to load balancers; says no secret."""

    authentication_classes: list[Any] = []
    permission_classes = [AllowAny]
    tell = staticmethod(parts.ready)


def live(request: HttpRequest) -> JsonResponse:
    """The process runs and answers; nothing else is asked."""
    return JsonResponse({"status": Health.HEALTHY})
