"""`performance/`: durations of operations, and hits of the caches, for the office."""

from __future__ import annotations

from typing import Any

from django.urls import path
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from health.parts import SEE_HEALTH
from web import caching, flags
from web.api.fields import Strict
from web.metrics import percentile
from web.refusals import Refusal
from web.system_metrics import HOUR, Counts, buckets, by_label, recent_figures

OPERATIONS = "luckygas_operation_seconds"


class OperationOutput(serializers.Serializer[Any]):
    operation = serializers.CharField()
    count = serializers.IntegerField()
    mean_ms, total_ms = serializers.FloatField(), serializers.FloatField()
    p50_ms = serializers.FloatField(
        help_text=_("Estimated from a histogram with bucket limits of 1, 2, 5, 10, 20 ms and so on.")
    )
    p95_ms = serializers.FloatField(
        help_text=_("Estimated from a histogram with bucket limits of 1, 2, 5, 10, 20 ms and so on.")
    )


class PerformanceOutput(serializers.Serializer[Any]):
    """The figures of all servers in the last hour."""

    measuring = serializers.BooleanField(help_text=_("Whether the switch performance_monitoring is on."))
    processes = serializers.IntegerField(help_text=_("Processes running now: workers, senders, commands."))
    operations = OperationOutput(many=True)


class CacheOutput(serializers.Serializer[Any]):
    cache = serializers.CharField()
    seconds = serializers.IntegerField(help_text=_("How many seconds a response stays in the cache at most."))
    hits, misses = serializers.IntegerField(), serializers.IntegerField()
    hit_rate = serializers.FloatField(
        allow_null=True, help_text=_("Share of lookups that found a response in the cache, 0 to 1.")
    )
    size = serializers.IntegerField(
        allow_null=True, help_text=_("Responses in the cache now; null if the cache does not respond.")
    )


class CacheStatsOutput(serializers.Serializer[Any]):
    """The figures of each cache. Hits and misses are those of all servers in the last hour."""

    shared = serializers.BooleanField(help_text=_("Whether there is a cache. Without Redis nothing is cached."))
    switched_on = serializers.BooleanField(help_text=_("Whether the switch caching_layer is on."))
    processes = serializers.IntegerField(help_text=_("Processes running now: workers, senders, commands."))
    caches = CacheOutput(many=True)


class ClearInput(Strict):
    pattern = serializers.RegexField(
        r"^[a-z0-9_:.*?-]{1,100}$",
        default="*",
        help_text=_("Which cache keys to clear, such as `statistics:*`. The default is all."),
    )


class ClearOutput(serializers.Serializer[Any]):
    cleared = serializers.IntegerField()


class Performance(APIView):
    rights = {"GET": [SEE_HEALTH]}

    @extend_schema(operation_id="performance_retrieve", responses=PerformanceOutput)
    def get(self, request: Request) -> Response:
        """The number of calls of each operation in the last hour, and their durations."""
        hour = recent_figures(HOUR)
        return Response({
            "measuring": flags.is_on(flags.PERFORMANCE), "processes": hour.processes,
            "operations": operations(hour.counts),
        })  # fmt: skip


def operations(counts: Counts) -> list[dict[str, Any]]:
    """Returns the operations, the highest total time first."""
    sums = by_label(counts, f"{OPERATIONS}_sum")
    found = sorted(buckets(counts, OPERATIONS).items(), key=lambda item: -sums.get(item[0], 0))
    return [_operation(name, sums.get(name, 0) * 1000, bounds) for name, bounds in found]


def _operation(name: str, total_ms: float, bounds: dict[float, float]) -> dict[str, Any]:
    count = int(max(bounds.values()))
    p50, p95 = (round((percentile(bounds, share) or 0) * 1000, 3) for share in (0.5, 0.95))
    return {
        "operation": name, "count": count, "mean_ms": round(total_ms / count, 3), "p50_ms": p50, "p95_ms": p95,
        "total_ms": round(total_ms, 1),
    }  # fmt: skip


class CacheStats(APIView):
    rights = {"GET": [SEE_HEALTH]}

    @extend_schema(operation_id="performance_cache_stats", responses=CacheStatsOutput)
    def get(self, request: Request) -> Response:
        """Hits, misses and size of each cache."""
        hour = recent_figures(HOUR)
        return Response({
            "shared": caching.shared_cache() is not None, "switched_on": flags.is_on(flags.CACHING),
            "processes": hour.processes, "caches": [_cache_figures(kind, hour.counts) for kind in caching.KINDS],
        })  # fmt: skip


def _cache_figures(kind: str, counts: Counts) -> dict[str, Any]:
    hits, misses = (int(counts.get(f"luckygas_cache_{name}_total {kind}", 0)) for name in ("hits", "misses"))
    return {
        "cache": kind, "seconds": caching.SECONDS, "hits": hits, "misses": misses,
        "hit_rate": round(hits / (hits + misses), 4) if hits + misses else None, "size": caching.size(kind),
    }  # fmt: skip


class CacheClear(APIView):
    rights = {"POST": ["health.clear_cache"]}

    @extend_schema(operation_id="performance_cache_clear", request=ClearInput, responses=ClearOutput)
    def post(self, request: Request) -> Response:
        """Deletes cached answers, at most 10,000. Other keys in Redis stay."""
        serializer = ClearInput(data=request.data)
        serializer.is_valid(raise_exception=True)
        cleared = caching.clear(serializer.validated_data["pattern"])
        if cleared is None:
            detail = _("The cache does not respond and was not cleared. Please try again.")
            raise Refusal("cache_away", detail, status=503)
        return Response({"cleared": cleared})


urlpatterns = [
    path("", Performance.as_view()),
    path("cache-stats/", CacheStats.as_view()),
    path("cache-clear/", CacheClear.as_view()),
]
