"""The Prometheus metrics of hubs and sockets in this process."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from datetime import datetime
from time import monotonic

from django.utils import timezone
from prometheus_client import Counter, Histogram, Summary

from web.metrics import mark_persistent

# Upper bounds of the histogram in milliseconds, from the change to the write to sockets.
LAGS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
# Close codes with their own label: standard ones and ours. Clients may send any other.
KNOWN_CODES = {*range(1000, 1016), 4008, *range(4400, 4500)}
# How long `Pulse` looks back, and how many rounds with events it remembers.
LATELY_SECONDS = 60.0
MAX_ROUNDS = 100
# Bells are lost if at least this many events of the last minute, and more than half of them, came without one.
MANY_MISSED = 5

LAG = mark_persistent(
    Histogram(
        "luckygas_hub_lag_seconds",
        "From the change to the write to the sockets, once for each hub that reads the event.",
        buckets=[bound / 1000 for bound in LAGS],
    )
)
NUMBERED = mark_persistent(Counter("luckygas_events_numbered", "Events that this process wrote to the log."))
HUB_EVENTS = mark_persistent(Counter("luckygas_hub_events", "Events read from the log, by each hub."))
DELIVERIES = mark_persistent(Counter("luckygas_event_deliveries", "Events written to sockets."))
BELL_MISSED = mark_persistent(Counter("luckygas_bell_missed", "Events found by the timer, not by a bell."))
MESSAGES = mark_persistent(Counter("luckygas_websocket_messages", "Messages received from clients."))
CONNECTS = mark_persistent(Counter("luckygas_websocket_connects", "Sockets that were accepted."))
ERRORS = mark_persistent(Counter("luckygas_websocket_errors", "Refusals sent to clients, by code.", ["code"]))
CLOSES = mark_persistent(Counter("luckygas_websocket_disconnects", "Sockets that closed, by close code.", ["code"]))
OPEN_SECONDS = mark_persistent(Summary("luckygas_websocket_open_seconds", "How long closed sockets had been open."))
RECONNECTS = mark_persistent(
    Counter(
        "luckygas_websocket_reconnects",
        "Sockets that connected with a cursor: resumed (true), or too late and sent to load a snapshot (false).",
        ["recovered"],
    )
)


class Pulse:
    """The health of one hub: when it last read the log, and whether bells reach it. Read by the health check."""

    def __init__(self) -> None:
        self._looked = monotonic()
        # For each round: when it ended, its events, and how many of them came without a bell.
        self._rounds: deque[tuple[float, int, int]] = deque(maxlen=MAX_ROUNDS)

    def record_round(self, changed_at: Iterable[datetime] = (), *, by_bell: bool = True) -> None:
        """Records a finished round whose events were made at `changed_at`. `by_bell`: a bell started it."""
        self._looked, now, moments = monotonic(), timezone.now(), list(changed_at)
        missed = 0 if by_bell else len(moments)
        if moments:
            HUB_EVENTS.inc(len(moments))
            BELL_MISSED.inc(missed)
            self._rounds.append((self._looked, len(moments), missed))
        for moment in moments:
            LAG.observe(max((now - moment).total_seconds(), 0))

    @property
    def seconds_since_look(self) -> float:
        return round(monotonic() - self._looked, 1)

    @property
    def misses_bells(self) -> bool:
        """Whether bells are lost: most events of the last minute were found by the timer."""
        since = monotonic() - LATELY_SECONDS
        lately = [(events, missed) for at, events, missed in tuple(self._rounds) if at >= since]
        missed = sum(missed for _events, missed in lately)
        return missed >= MANY_MISSED and missed * 2 > sum(events for events, _missed in lately)
