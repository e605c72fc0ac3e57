"""`schema/`: the API described, for programs."""

from __future__ import annotations

from drf_spectacular.contrib.rest_framework_simplejwt import SimpleJWTScheme
from drf_spectacular.views import SpectacularAPIView


class AuthenticationScheme(SimpleJWTScheme):  # type: ignore[no-untyped-call]  # it registers itself
    target_class = "orders.api.tokens.Authentication"


class Schema(SpectacularAPIView):
    throttle_scope = "schema"
