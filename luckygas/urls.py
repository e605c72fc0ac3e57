"""All URLs of the site."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponsePermanentRedirect
from django.urls import include, path, re_path
from django.utils.http import escape_leading_slashes
from django.views.decorators.cache import cache_control
from django.views.decorators.http import conditional_page
from django.views.i18n import JavaScriptCatalog
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.routers import SimpleRouter
from rest_framework.viewsets import ViewSetMixin

from accounts.api import auth
from catalogue.api import Products
from customers.api import Customers
from importing.admin import import_view
from orders.api.dispatch import Drivers, Routes
from orders.api.orders import Orders
from web.api.errors import UnknownPath

handler400 = "web.api.errors.bad_request"
handler403 = "accounts.views.forbidden"
handler404 = "web.api.errors.not_found"
handler500 = "web.api.errors.server_error"

# Translations for the scripts, in the reader's language. They hold no personal data; browsers revalidate them.
TRANSLATIONS = cache_control(no_cache=True)(conditional_page(JavaScriptCatalog.as_view()))


class Schema(SpectacularAPIView):
    throttle_scope = "schema"


RESOURCES: dict[str, type[ViewSetMixin]] = {
    "customers": Customers, "products": Products, "orders": Orders, "drivers": Drivers, "routes": Routes,
}  # fmt: skip
router = SimpleRouter()
for plural, resource in RESOURCES.items():
    router.register(plural, resource)

# Old admin path → the app that the model belongs to now. Old URLs redirect, because users may have bookmarks.
MOVED = {
    "orders/customer": "customers", "orders/product": "catalogue", "orders/driver": "dispatch",
    "orders/route": "dispatch", "health/systemmetric": "web",
}  # fmt: skip


def redirect_moved(request: HttpRequest, place: str, rest: str) -> HttpResponsePermanentRedirect:
    """Redirects an old admin URL with its query. Status 308 keeps the data of a form that was opened at the old URL."""
    full = request.get_full_path().replace(f"/{place}/", f"/{MOVED[place]}/{place.partition('/')[2]}/", 1)
    return HttpResponsePermanentRedirect(escape_leading_slashes(full), preserve_request=True)


urlpatterns = [
    path("", include("accounts.urls")),
    path("", include("pages.urls")),
    re_path(rf"^admin/(?P<place>{'|'.join(MOVED)})/(?P<rest>.*)$", redirect_moved),
    path("admin/orders/order/import/", admin.site.admin_view(import_view), name="import_orders"),
    path("admin/", admin.site.urls),
    path("i18n/", include("django.conf.urls.i18n")),
    path("words.js", TRANSLATIONS, name="words"),
    path("health/", include("health.urls")),
    path("api/v1/auth/token/", auth.Token.as_view()),
    path("api/v1/auth/token/refresh/", auth.TokenRefresh.as_view()),
    path("api/v1/auth/logout/", auth.Logout.as_view()),
    path("api/v1/", include(router.urls)),
    path("api/v1/", include("realtime.urls")),
    path("api/v1/", include("notifications.urls")),
    path("api/v1/performance/", include("health.performance")),
    path("api/v1/schema/", Schema.as_view(), name="schema"),
    path("api/v1/docs/", SpectacularSwaggerSplitView.as_view(), name="docs"),
    # Must be the API's last path: it answers 404 for unknown paths.
    re_path(r"^api/", UnknownPath.as_view()),
]
