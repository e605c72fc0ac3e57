"""The URL paths of the REST API and of the socket test page."""

from __future__ import annotations

from django.urls import path

from realtime.api import Events, Ticket
from realtime.statistics import Statistics
from realtime.views import ws_test

urlpatterns = [
    path("events/", Events.as_view()),
    path("websocket/ticket/", Ticket.as_view()),
    path("websocket/stats/", Statistics.as_view()),
    path("websocket/ws/test", ws_test, name="ws_test"),
]
