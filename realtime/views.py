"""The socket test page, for developers of clients and for checking which events a screen receives."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.roles import check_page
from orders.models.proof import ConfirmationType
from orders.states import OrderStatus
from realtime.routing import BASE


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message form. `kind`: `text`, `number`, or `id` (a number if it looks like one).

    A dot in `name` makes a nested object.
    """

    name: str
    value: str = ""
    kind: str = "text"
    choices: tuple[str, ...] = ()


def _numbers(**values: str) -> list[Field]:
    return [Field(name, value, "number") for name, value in values.items()]


_ORDER = Field("order_id", kind="id")
# The messages a client may send (docs/realtime.md), with example values.
MESSAGES: dict[str, list[Field]] = {
    "heartbeat": [],
    "subscribe": [Field("channel", "orders")],
    "unsubscribe": [Field("channel", "orders")],
    "location_update": [
        *_numbers(latitude="25.0330", longitude="121.5654", speed="30", heading="45", accuracy="10"),
        Field("timestamp"),
    ],
    "order_update": [
        _ORDER,
        Field("status", choices=(*OrderStatus.values, "driver_arrived")),
        *(Field(f"details.{name}") for name in ("notes", "eta", "reason")),
        Field("at"),
        Field("ref"),
    ],
    "delivery.confirmed": [
        _ORDER,
        Field("confirmation_type", choices=tuple(ConfirmationType.values)),
        *(Field(name) for name in ("cylinder_serial", "confirmed_at", "ref")),
    ],
    "authenticate": [Field("token")],
}
ENDPOINTS = (f"/{BASE}", f"/{BASE}/driver", f"/{BASE}/office", f"/{BASE}/track/")


@require_safe
@login_required
def ws_test(request: HttpRequest) -> HttpResponse:
    """Renders the page: it opens a socket, shows all frames in both directions, and has a form for each message."""
    check_page(request.user, "realtime.view_event")
    return render(request, "realtime/ws_test.html", {"endpoints": ENDPOINTS, "messages_to_send": MESSAGES})
