"""The office's dispatch board: an empty frame, which its scripts fill from the REST API and keep live."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.shortcuts import render

from accounts.roles import Side
from orders.models import TimeSlot
from orders.states import OPEN, Status
from pages.page_data import clock, page_data

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.http import HttpRequest, HttpResponse

# Failed ones wait for the office as new ones do, so they stand beside them.
COLUMNS = (
    Status.PENDING, Status.FAILED, Status.CONFIRMED, Status.ASSIGNED, Status.DELIVERING, Status.ARRIVING,
    Status.DELIVERED, Status.CANCELLED,
)  # fmt: skip


def board(request: HttpRequest, user: User) -> HttpResponse:
    """For staff; the caller has looked."""
    context = {
        "data": page_data(user, Side.OFFICE) | clock(),
        "columns": [{"status": status, "is_open": status in OPEN} for status in COLUMNS],
        "slots": TimeSlot.choices,
    }
    return render(request, "office/board.html", context)
