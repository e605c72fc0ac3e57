"""`timings/`: how long things take, and what the cache is good for; for the office."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from health.models import SEE_HEALTH
from web import caching, flags, timings
from web.api.fields import Strict
from web.models import ProcessFigures
from web.refusals import Refusal


class OperationOutput(serializers.Serializer[Any]):
    operation = serializers.CharField()
    count = serializers.IntegerField()
    mean_ms, total_ms = serializers.FloatField(), serializers.FloatField()
    p50_ms = serializers.FloatField(help_text=_("Right to a fifth."))
    p95_ms = serializers.FloatField(help_text=_("Right to a fifth."))


class PerformanceOutput(serializers.Serializer[Any]):
    """Of the processes that live, each since its start."""

    measuring = serializers.BooleanField(help_text=_("Whether the switch performance_monitoring is on."))
    processes = serializers.IntegerField()
    operations = OperationOutput(many=True)


class CacheOutput(serializers.Serializer[Any]):
    cache = serializers.CharField()
    seconds = serializers.IntegerField(help_text=_("How long an answer is kept at most."))
    hits, misses = serializers.IntegerField(), serializers.IntegerField()
    hit_rate = serializers.FloatField(allow_null=True, help_text=_("Of the questions, 0 to 1."))
    size = serializers.IntegerField(allow_null=True, help_text=_("Answers kept now; null: the cache does not answer."))


class CacheStatsOutput(serializers.Serializer[Any]):
    """Hits and misses are of the processes that live, each since its start."""

    shared = serializers.BooleanField(help_text=_("Whether there is a cache; without Redis nothing is kept."))
    switched_on = serializers.BooleanField(help_text=_("Whether the switch caching_layer is on."))
    processes = serializers.IntegerField()
    caches = CacheOutput(many=True)


class ClearInput(Strict):
    pattern = serializers.RegexField(
        r"^[a-z0-9_:.*?-]{1,100}$",
        default="*",
        help_text=_("Which answers, by their key: `statistics:*`; all unless said."),
    )


class ClearOutput(serializers.Serializer[Any]):
    cleared = serializers.IntegerField()


class Performance(APIView):
    rights = {"GET": [SEE_HEALTH]}

    @extend_schema(operation_id="performance_retrieve", responses=PerformanceOutput)
    def get(self, request: Request) -> Response:
        """How often each named operation was done and how long it took, over all processes that write it down."""
        figures = ProcessFigures.everywhere()
        return Response({
            "measuring": flags.on(flags.PERFORMANCE), "processes": len(figures),
            "operations": timings.operations(figures),
        })  # fmt: skip


class CacheStats(APIView):
    rights = {"GET": [SEE_HEALTH]}

    @extend_schema(operation_id="performance_cache_stats", responses=CacheStatsOutput)
    def get(self, request: Request) -> Response:
        """Hits, misses and size of each cache."""
        figures = ProcessFigures.everywhere()
        seen = timings.lookups(figures)
        return Response({
            "shared": caching.shared_cache() is not None, "switched_on": flags.on(flags.CACHING),
            "processes": len(figures), "caches": [_of(name, seen[name]) for name in caching.KEPT],
        })  # fmt: skip


def _of(name: str, seen: Any) -> dict[str, Any]:
    asked = seen.total()
    return {
        "cache": name, "seconds": caching.KEPT[name].seconds, "hits": seen["hits"], "misses": seen["misses"],
        "hit_rate": round(seen["hits"] / asked, 4) if asked else None, "size": caching.size(name),
    }  # fmt: skip


class CacheClear(APIView):
    rights = {"POST": ["health.clear_cache"]}

    @extend_schema(operation_id="performance_cache_clear", request=ClearInput, responses=ClearOutput)
    def post(self, request: Request) -> Response:
        """Forgets kept answers, 10,000 at most; nothing else in Redis is touched."""
        asked = ClearInput(data=request.data)
        asked.is_valid(raise_exception=True)
        cleared = caching.clear(asked.validated_data["pattern"])
        if cleared is None:
            detail = _("The cache does not answer; what is in it is not used meanwhile. Try again.")
            raise Refusal("cache_away", detail, status=503)
        return Response({"cleared": cleared})
