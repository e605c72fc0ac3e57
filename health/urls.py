"""The paths below `/health/`."""

from __future__ import annotations

from django.urls import path

from health.api import HealthView, MetricsView, ReadyView, live_view
from health.parts import PARTS
from health.views import dashboard, plot

ONE_PART = ("database", "redis", "websocket", "notifications")

urlpatterns = [
    path("", HealthView.as_view(), name="health"),
    path("live", live_view, name="health_live"),
    path("ready", ReadyView.as_view(), name="health_ready"),
    *[path(name, HealthView.as_view(check=PARTS[name]), name=f"health_{name}") for name in ONE_PART],
    path("metrics", MetricsView.as_view(), name="health_metrics"),
    path("dashboard/", dashboard, name="health_dashboard"),
    path("dashboard/<slug:period>/<slug:name>.svg", plot, name="health_plot"),
]
