"""Every path of the site."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.decorators.cache import cache_control
from django.views.decorators.http import conditional_page
from django.views.i18n import JavaScriptCatalog
from drf_spectacular.views import SpectacularSwaggerSplitView

from web.api.docs import Schema
from web.api.fallback import UnknownPath

handler400 = "web.api.fallback.bad_request"
handler403 = "accounts.pages.forbidden"
handler404 = "web.api.fallback.not_found"
handler500 = "web.api.fallback.server_error"

# The words of the scripts, in the reader's language: nobody's data; asked each time whether they are still the same.
WORDS = cache_control(no_cache=True)(conditional_page(JavaScriptCatalog.as_view()))

urlpatterns = [
    path("", include("accounts.urls")),
    path("", include("pages.urls")),
    path("", include("luckygas.old_addresses")),
    path("", include("importing.urls")),
    path("admin/", admin.site.urls),
    path("i18n/", include("django.conf.urls.i18n")),
    path("words.js", WORDS, name="words"),
    path("health/", include("health.urls")),
    path("api/v1/", include("accounts.api.urls")),
    path("api/v1/", include("customers.urls")),
    path("api/v1/", include("catalogue.urls")),
    path("api/v1/", include("orders.api.urls")),
    path("api/v1/", include("realtime.urls")),
    path("api/v1/", include("notifications.urls")),
    path("api/v1/performance/", include("health.performance_urls")),
    path("api/v1/schema/", Schema.as_view(), name="schema"),
    path("api/v1/docs/", SpectacularSwaggerSplitView.as_view(), name="docs"),
    # Last of the API: what no other path took.
    re_path(r"^api/", UnknownPath.as_view()),
]
