"""The paths of the API."""

from __future__ import annotations

from django.urls import path

from realtime.api import Events, Ticket

urlpatterns = [path("events/", Events.as_view()), path("websocket/ticket/", Ticket.as_view())]
