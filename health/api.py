"""The health of the system over HTTP, for monitors: each part by itself, and `/health/metrics` for Prometheus.

What processes count is told whatever is broken; what has to be asked for has a time limit, and is left out else.
"""

from __future__ import annotations

import hmac
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse, JsonResponse
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import AllowAny
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.access import ByRole
from health import parts
from health.parts import SEE_HEALTH
from health.probes import Answer, Health, Probe
from web.metrics import GAUGES, registry


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
    schema = None  # for monitors, not for clients: described in docs/operations.md
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


class Everything(Collector):
    def collect(self) -> Iterator[Metric]:
        yield from registry().collect()
        yield from state()


def ask() -> Answer:
    families = [family for rows in GAUGES for family in rows()]
    return {"status": Health.HEALTHY, "families": [*families, disk(), *last_backup()]}


def disk() -> Metric:
    # Before the first photo there is no directory yet.
    there = next(path for path in (settings.MEDIA_ROOT, *settings.MEDIA_ROOT.resolve().parents) if path.exists())
    usage = shutil.disk_usage(there)
    return GaugeMetricFamily(
        "luckygas_disk_free_ratio", "Of the disk that keeps signatures and photos.", usage.free / usage.total
    )


def last_backup() -> Iterator[Metric]:
    if settings.BACKUP_DIR:
        try:
            made = Path(settings.BACKUP_DIR, "latest").lstat().st_mtime
        except OSError:  # there is none yet, or it is somebody else's
            made = 0
        yield GaugeMetricFamily("luckygas_last_backup_timestamp_seconds", "When the newest was made; 0: none.", made)


FIGURES = Probe(ask, 2.0)


def state() -> Iterator[Metric]:
    """What is so now; of a database that does not answer nothing more is asked."""
    ready = parts.ready()
    silent: Answer = {"status": Health.UNHEALTHY}
    figures = silent if ready["database"]["status"] == Health.UNHEALTHY else FIGURES()
    part = GaugeMetricFamily("luckygas_part_healthy", "1, or 0 for a part that does not work.", labels=["part"])
    for name, answer in {**ready, "figures": figures}.items():
        if isinstance(answer, dict):
            part.add_metric([name], answer["status"] == Health.HEALTHY)
    yield part
    yield GaugeMetricFamily("luckygas_ready", "1 while requests can be served.", ready["status"] != Health.UNHEALTHY)
    yield from figures.get("families", [])


class MetricsView(HealthView):
    """Prometheus asks for types of its own and takes the plain text as well."""

    def get(self, request: Request) -> HttpResponse:  # type: ignore[override]  # text, and not JSON
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return HttpResponse(encode(Everything()), content_type=content_type)

    def perform_content_negotiation(self, request: Request, force: bool = False) -> tuple[BaseRenderer, str]:
        return super().perform_content_negotiation(request, force=True)
