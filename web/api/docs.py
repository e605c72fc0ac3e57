"""`schema/`: the API described, for programs."""

from __future__ import annotations

from drf_spectacular.views import SpectacularAPIView


class Schema(SpectacularAPIView):
    throttle_scope = "schema"
