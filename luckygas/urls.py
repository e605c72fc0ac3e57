"""Every path of the site."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from orders.api.fallback import UnknownPath

handler400 = "orders.api.fallback.bad_request"
handler500 = "orders.api.fallback.server_error"

urlpatterns = [
    path("", include("orders.urls")),
    path("admin/", admin.site.urls),
    path("health/", include("health.urls")),
    path("api/v1/", include("orders.api.urls")),
    path("api/v1/", include("realtime.urls")),
    path("api/v1/", include("notifications.urls")),
    path("api/v1/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/v1/docs/", SpectacularSwaggerSplitView.as_view(), name="docs"),
    # Last of the API: what no other path took.
    re_path(r"^api/", UnknownPath.as_view()),
]
