"""The paths of the API of products."""

from __future__ import annotations

from rest_framework.routers import SimpleRouter

from catalogue.api import Products

router = SimpleRouter()
router.register("products", Products)

urlpatterns = router.urls
