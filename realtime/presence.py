"""Which sockets are open, in rows that all processes can read."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import QuerySet
from django.utils import timezone

from realtime.connection import Connection
from realtime.models import WebSocketConnection

# Host and process may be alike in two containers; the random part is not.
INSTANCE = f"{socket.gethostname()[-60:]}:{os.getpid()}:{secrets.token_hex(3)}"
# Rows that no server refreshed for so long belong to one that died.
DEAD = timedelta(seconds=30)


def write(connections: Iterable[Connection], now: datetime) -> None:
    """Makes the rows of this process those of `connections`, and forgets the rows of the dead."""
    rows = [
        WebSocketConnection(
            connection_id=open_.id, user_id=open_.identity.user_id, role=open_.identity.role or open_.endpoint,
            endpoint=open_.endpoint, instance=INSTANCE, connected_at=open_.connected_at, last_ping=now,
        )
        for open_ in connections
    ]  # fmt: skip
    if rows:
        WebSocketConnection.objects.bulk_create(
            rows, update_conflicts=True, unique_fields=["connection_id"], update_fields=["last_ping"], batch_size=500
        )
    old = WebSocketConnection.objects.filter(instance=INSTANCE, last_ping__lt=now)
    dead = WebSocketConnection.objects.filter(last_ping__lt=now - DEAD)
    gone = list((old | dead).values_list("pk", flat=True))
    if gone:
        WebSocketConnection.objects.filter(pk__in=gone).delete()


def live() -> QuerySet[WebSocketConnection]:
    """The sockets that are open now, of all processes."""
    return WebSocketConnection.objects.filter(last_ping__gte=timezone.now() - DEAD)


def online_driver_ids() -> set[int]:
    """The drivers who have a live socket."""
    return set(live().filter(user__driver__isnull=False).values_list("user__driver", flat=True))
