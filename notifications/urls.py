"""The paths of the API."""

from __future__ import annotations

from rest_framework.routers import SimpleRouter

from notifications.api import Notifications

router = SimpleRouter()
router.register("notifications", Notifications)
urlpatterns = router.urls
