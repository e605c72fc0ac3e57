"""The JSON data in the pages for the office, drivers and customers, read by `page.js`."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Choices
from django.utils import timezone

from accounts.roles import Side
from notifications.states import MessageStatus
from orders.models import ConfirmationType, Priority, TimeSlot
from orders.permissions import may_correct
from orders.states import MOVES, ON_THE_ROAD, OPEN, OrderStatus
from orders.statistics import SLOT_ENDS

CHOICES: dict[str, type[Choices]] = {
    "status": OrderStatus, "priority": Priority, "time_slot": TimeSlot, "confirmation_type": ConfirmationType,
    "message_status": MessageStatus,
}  # fmt: skip
# Groups of statuses that pages treat alike.
GROUPS = {
    "open": OPEN, "closed": frozenset(OrderStatus) - OPEN, "with_driver": ON_THE_ROAD | {OrderStatus.ASSIGNED},
    "on_the_road": ON_THE_ROAD, "done_by_driver": frozenset({OrderStatus.DELIVERED, OrderStatus.FAILED}),
}  # fmt: skip


def page_data(user: User, role: Side) -> dict[str, Any]:
    """The data that the scripts of the office's and the driver's pages share.

    `labels` are in the active language, by field and value. `moves` are the moves that the user may make. `statuses`
    has the statuses of each group. `slots` is sorted by the ends of the time slots.
    """
    return {
        "user": user.pk,
        "labels": {name: {value: str(label) for value, label in choices.choices} for name, choices in CHOICES.items()},
        "moves": moves_of(role, user),
        "statuses": statuses(),
        "slots": sorted(TimeSlot, key=lambda slot: SLOT_ENDS[slot]),
        "map": map_settings(),
        "time_zone": settings.TIME_ZONE,
    }


def clock() -> dict[str, str]:
    """The server's time, read by `server-clock.js` before its first request. Only for pages that are not cached."""
    return {"now": timezone.now().isoformat()}


def statuses() -> dict[str, list[OrderStatus]]:
    """The statuses of each group in GROUPS, in the order of `OrderStatus`."""
    return {name: [status for status in OrderStatus if status in group] for name, group in GROUPS.items()}


def map_settings() -> dict[str, str]:
    return {"tiles": settings.MAP_TILES_URL, "attribution": settings.MAP_ATTRIBUTION}


def moves_of(role: Side, user: User) -> dict[str, list[dict[str, Any]]]:
    """The moves that the user may make: `{"assigned": [{"to": "delivering", "needs_reason": false}, …], …}`."""
    return {
        before: [
            {"to": to, "needs_reason": move.needs_reason}
            for (start, to), move in MOVES.items()
            if start == before and role in move.roles and may_correct(user, start, to)
        ]
        for before in OrderStatus.values
    }
