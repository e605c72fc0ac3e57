"""The paths below `/health/`."""

from __future__ import annotations

from django.urls import path

from health.api import HealthView, ReadyView, live
from health.metrics import MetricsView
from health.parts import PARTS

urlpatterns = [
    path("", HealthView.as_view()),
    path("live", live),
    path("ready", ReadyView.as_view()),
    path("metrics", MetricsView.as_view()),
    *[path(name, HealthView.as_view(tell=PARTS[name])) for name in ("database", "redis", "websocket", "notifications")],
]
