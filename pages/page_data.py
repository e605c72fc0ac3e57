"""What every page of the office and the driver is told beside its words, as JSON in the page (`page.js` reads it)."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Choices
from django.utils import timezone

from accounts.roles import Side
from notifications.states import Status as MessageStatus
from orders.models import ConfirmationType, Priority, TimeSlot
from orders.permissions import may_correct
from orders.states import MOVES, ON_THE_ROAD, OPEN, Status
from orders.statistics import SLOT_ENDS

CHOICES: dict[str, type[Choices]] = {
    "status": Status, "priority": Priority, "time_slot": TimeSlot, "confirmation_type": ConfirmationType,
    "message_status": MessageStatus,
}  # fmt: skip
# Statuses that pages treat alike.
GROUPS = {
    "open": OPEN, "closed": frozenset(Status) - OPEN, "with_driver": ON_THE_ROAD | {Status.ASSIGNED},
    "on_the_road": ON_THE_ROAD, "done_by_driver": frozenset({Status.DELIVERED, Status.FAILED}),
}  # fmt: skip


def page_data(user: User, role: Side) -> dict[str, Any]:
    """`labels` by field and value, in the reader's language; `moves`: what the user may do next, by status;
    `statuses` by group; `slots` by when they end."""
    return {
        "user": user.pk,
        "labels": {name: {value: str(label) for value, label in known.choices} for name, known in CHOICES.items()},
        "moves": moves_of(role, user),
        "statuses": statuses(),
        "slots": sorted(TimeSlot, key=lambda slot: SLOT_ENDS[slot]),
        "map": map_settings(),
        "time_zone": settings.TIME_ZONE,
    }


def clock() -> dict[str, str]:
    """The server's time, for the first requests of a page that no browser keeps (`server-clock.js` reads it)."""
    return {"now": timezone.now().isoformat()}


def statuses() -> dict[str, list[Status]]:
    """Each group, in the order of an order's life."""
    return {name: [status for status in Status if status in group] for name, group in GROUPS.items()}


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
