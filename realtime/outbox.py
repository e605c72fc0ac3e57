"""Announcing a change: one row in the transaction of the change, one bell when it is committed."""

from __future__ import annotations

from typing import Any

from django.db import connection, transaction

from realtime.bell import ring
from realtime.models import Outbox


def announce(type_: str, subject: str, delta: dict[str, Any]) -> None:
    """Leaves what happened to `subject` (`order:17`) for the log, as part of the transaction that is open."""
    Outbox.objects.create(type=type_, subject=subject, delta=delta)
    # Once a transaction, however many rows; a savepoint that is rolled back takes its own registration along.
    if not any(function is ring for _, function, *_ in connection.run_on_commit):
        transaction.on_commit(ring, robust=True)
