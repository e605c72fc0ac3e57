"""What every page of the office and the driver is told beside its words, as JSON in the page (`page.js` reads it)."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Choices
from django.utils import timezone

from accounts.roles import Side
from orders.models import ConfirmationType, Priority, TimeSlot
from orders.sides import may_correct
from orders.states import MOVES, Status

CHOICES: dict[str, type[Choices]] = {
    "status": Status, "priority": Priority, "time_slot": TimeSlot, "confirmation_type": ConfirmationType,
}  # fmt: skip


def page_data(user: User, role: Side) -> dict[str, Any]:
    """`labels` by field and value, in the reader's language; `moves`: what the user may do next, by status."""
    return {
        "user": user.pk,
        "labels": {name: {value: str(label) for value, label in known.choices} for name, known in CHOICES.items()},
        "moves": moves_of(role, user),
        "map": map_settings(),
        "time_zone": settings.TIME_ZONE,
    }


def clock() -> dict[str, str]:
    """The server's time, for the first requests of a page that no browser keeps (`server-clock.js` reads it)."""
    return {"now": timezone.now().isoformat()}


def map_settings() -> dict[str, str]:
    return {"tiles": settings.MAP_TILES_URL, "attribution": settings.MAP_ATTRIBUTION}


def moves_of(role: Side, user: User) -> dict[str, list[dict[str, Any]]]:
    """`{"assigned": [{"to": "delivering", "needs_reason": false}, …], …}`."""
    return {
        before: [
            {"to": to, "needs_reason": move.needs_reason}
            for (start, to), move in MOVES.items()
            if start == before and role in move.roles and may_correct(user, start, to)
        ]
        for before in Status.values
    }
