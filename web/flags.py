"""Feature switches: rows of django-waffle. A change in the admin takes effect in every process within a second.

Waffle's own lookup needs a query for each name and loses its values when the database is down. This module reads all
switches in one query, at most twice a second, and keeps the last values while the database is down.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from time import monotonic
from typing import Any

from django.db import DatabaseError, InterfaceError, transaction
from django.utils.translation import gettext_lazy as _
from waffle.models import Switch

log = logging.getLogger(__name__)

REAL_TIME = "real_time_notifications"
SMS = "sms_notifications"
PERFORMANCE = "performance_monitoring"
CACHING = "caching_layer"
WEBSOCKETS = "websocket_integration"
THROTTLING = "request_throttling"
MEANINGS = {
    REAL_TIME: _("Sends changes to screens at once. If off, pages reload their data every 30 seconds."),
    SMS: _(
        "Sends messages to customers. If off, messages wait. When turned on again, those that are still true are sent."
    ),
    PERFORMANCE: _("Measures how long operations take. The API shows the results under “performance”."),
    CACHING: _("Serves statistics from the cache until their data change."),
    WEBSOCKETS: _(
        "Keeps a connection between each page and the server. If off, pages check for changes every few seconds."
    ),
    THROTTLING: _("Limits how often a client may send requests."),
}
# How long values are used without a new query. Hubs also read the switches once a second.
MEMORY_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class SwitchesRead:
    """The switches that were off, and when they were read (`monotonic()`). A switch without a row is on."""

    at: float = -math.inf
    off: frozenset[str] = frozenset()


_last_read = SwitchesRead()


def is_on(name: str) -> bool:
    """Whether this feature is on. May query the database; on an event loop use `is_on_from_memory`."""
    refresh()
    return is_on_from_memory(name)


def is_on_from_memory(name: str) -> bool:
    """As `is_on`, but without a query: the value that `refresh` read last."""
    return name not in _last_read.off


def off_switches() -> list[str]:
    """The names of the switches that are off."""
    refresh()
    return [name for name in MEANINGS if not is_on_from_memory(name)]


def age() -> float:
    """Seconds since the last read, successful or not. Infinite if there was none."""
    return monotonic() - _last_read.at


def refresh(older_than: float = MEMORY_SECONDS) -> None:
    """Reads the switches if the last read is more than `older_than` seconds ago."""
    if age() <= older_than:
        return
    read_at = monotonic()
    try:
        off = frozenset(Switch.objects.filter(active=False).values_list("name", flat=True))
    except (DatabaseError, InterfaceError) as error:
        log.warning("Could not read the switches (%s); keeping the last values.", type(error).__name__)
        off = _last_read.off
    remember(SwitchesRead(read_at, off))


def remember(switches: SwitchesRead) -> None:
    """Stores what was read. If two threads read at once, the values of the later query are stored."""
    global _last_read  # noqa: PLW0603  (one for each process)
    if switches.at > _last_read.at:
        _last_read = switches


def forget() -> None:
    """Makes the next call of `is_on` read the database."""
    global _last_read  # noqa: PLW0603
    _last_read = SwitchesRead(off=_last_read.off)


def switch_saved(sender: type[Any], **kwargs: Any) -> None:
    """Receiver of `post_save`: the process that saved a switch uses its new value at once after the commit."""
    transaction.on_commit(forget)
