"""Health checks over HTTP for monitors: all parts together, each part, and `/health/metrics` for Prometheus.

The metrics always have the counters of the processes. Gauges that need a query are left out if it exceeds a time limit.
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
from health.probes import Answer, HealthStatus, Probe
from web.metrics import GAUGES, registry


class Monitor(AnonymousUser):
    """The user of requests with MONITORING_TOKEN. May read only the views of this module."""


class MonitorAuthentication(BaseAuthentication):
    """Accepts `Authorization: Bearer` with the monitoring token. Leaves everything else to the next authenticator."""

    def authenticate(self, request: Request) -> tuple[Monitor, None] | None:
        kind, _, given = request.headers.get("Authorization", "").partition(" ")
        token = settings.MONITORING_TOKEN
        is_monitor = token and kind == "Bearer" and hmac.compare_digest(given.encode(), token.encode())
        return (Monitor(), None) if is_monitor else None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class MonitorOrByRole(ByRole):
    def has_permission(self, request: Request, view: APIView) -> bool:
        return isinstance(request.user, Monitor) or super().has_permission(request, view)


class HealthView(APIView):
    """Answers with the result of `check`: 200, or 503 if it is unhealthy."""

    authentication_classes = [MonitorAuthentication, *APIView.authentication_classes]
    permission_classes = [MonitorOrByRole]
    rights = {"GET": [SEE_HEALTH]}
    # Monitors must never be throttled. A throttle may also query the database, without the time limit of a probe.
    throttle_classes: list[Any] = []
    schema = None  # for monitors, not for clients: described in docs/operations.md
    check: Callable[[], Answer] = staticmethod(parts.check_all_parts)

    def get(self, request: Request) -> Response:
        answer = self.check()
        return Response(answer, status=503 if answer["status"] == HealthStatus.UNHEALTHY else 200)


class ReadyView(HealthView):
    """Answers whether requests can be served. Needs no sign-in, for load balancers; the answer has no secrets."""

    authentication_classes: list[Any] = []
    permission_classes = [AllowAny]
    check = staticmethod(parts.check_readiness)


def live_view(request: HttpRequest) -> JsonResponse:
    """Answers as long as the process runs. Checks no part."""
    return JsonResponse({"status": HealthStatus.HEALTHY})


class AllMetrics(Collector):
    def collect(self) -> Iterator[Metric]:
        yield from registry().collect()
        yield from health_gauges()


def read_gauges() -> Answer:
    families = [family for read in GAUGES for family in read()]
    return {"status": HealthStatus.HEALTHY, "families": [*families, disk(), *last_backup()]}


def disk() -> Metric:
    # MEDIA_ROOT does not exist before the first photo.
    existing = next(path for path in (settings.MEDIA_ROOT, *settings.MEDIA_ROOT.resolve().parents) if path.exists())
    usage = shutil.disk_usage(existing)
    return GaugeMetricFamily(
        "luckygas_disk_free_ratio",
        "Free share of the disk that stores signatures and photos.",
        usage.free / usage.total,
    )


def last_backup() -> Iterator[Metric]:
    if settings.BACKUP_DIR:
        try:
            at = Path(settings.BACKUP_DIR, "latest").lstat().st_mtime
        except OSError:  # there is no backup yet, or no permission to read it
            at = 0
        yield GaugeMetricFamily("luckygas_last_backup_timestamp_seconds", "Time of the newest backup; 0: none.", at)


FIGURES = Probe(read_gauges, 2.0)


def health_gauges() -> Iterator[Metric]:
    """Yields the state of the parts that requests need, and the gauges of the apps, the disk and the backup.

    Skips the gauges if the database is down, or if reading them fails or exceeds the time limit.
    """
    ready = parts.check_readiness()
    no_answer: Answer = {"status": HealthStatus.UNHEALTHY}
    figures = no_answer if ready["database"]["status"] == HealthStatus.UNHEALTHY else FIGURES()
    part = GaugeMetricFamily("luckygas_part_healthy", "1, or 0 if the part is degraded or unhealthy.", labels=["part"])
    for name, answer in {**ready, "figures": figures}.items():
        if isinstance(answer, dict):
            part.add_metric([name], answer["status"] == HealthStatus.HEALTHY)
    yield part
    yield GaugeMetricFamily(
        "luckygas_ready", "1 while requests can be served.", ready["status"] != HealthStatus.UNHEALTHY
    )
    yield from figures.get("families", [])


class MetricsView(HealthView):
    """Answers in one of Prometheus's formats, which the request's Accept header chooses."""

    def get(self, request: Request) -> HttpResponse:  # type: ignore[override]  # text, and not JSON
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return HttpResponse(encode(AllMetrics()), content_type=content_type)

    def perform_content_negotiation(self, request: Request, force: bool = False) -> tuple[BaseRenderer, str]:
        return super().perform_content_negotiation(request, force=True)
