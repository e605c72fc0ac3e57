"""The API paths of messages and of the providers' callbacks."""

from __future__ import annotations

from django.urls import path
from rest_framework.routers import SimpleRouter

from notifications.api import Notifications
from notifications.callbacks import Callback

router = SimpleRouter()
router.register("notifications", Notifications)
urlpatterns = [
    path("notifications/callbacks/<slug:gateway>/<str:secret>/", Callback.as_view(), name="notification-callback"),
    path("notifications/callbacks/<slug:gateway>/<str:secret>/<uuid:message>/", Callback.as_view(schema=None)),
    *router.urls,
]
