"""The paths below `/api/v1/performance/`."""

from __future__ import annotations

from django.urls import path

from health.performance import CacheClear, CacheStats, Performance

urlpatterns = [
    path("", Performance.as_view()),
    path("cache-stats/", CacheStats.as_view()),
    path("cache-clear/", CacheClear.as_view()),
]
