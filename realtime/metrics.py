"""The Prometheus metrics of hubs and sockets in this process."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from datetime import datetime
from time import monotonic

from django.utils import timezone
from prometheus_client import Counter, Histogram, Summary

from web.metrics import mark_persistent

# Upper bounds of the lag histogram in milliseconds. The lag is the time from a change to the write to sockets.
LAG_BOUNDS_MS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
# Close codes with their own label: the standard ones and ours. Clients may send any other code.
KNOWN_CODES = {*range(1000, 1016), 4008, *range(4400, 4500)}
# How long `Pulse` looks back, and how many rounds with events it remembers.
WINDOW_SECONDS = 60.0
MAX_ROUNDS = 100
# Bells count as lost if at least this many events, and more than half of all, came without one in the last minute.
MIN_MISSED = 5

LAG = mark_persistent(
    Histogram(
        "luckygas_hub_lag_seconds",
        "From the change to the write to the sockets, once for each hub that reads the event.",
        buckets=[bound / 1000 for bound in LAG_BOUNDS_MS],
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
    """The health of one hub, for the health check: when the hub last read the log, and whether bells reach it."""

    def __init__(self) -> None:
        self._last_round_at = monotonic()
        # For each round: when it ended, its number of events, and how many of them came without a bell.
        self._rounds: deque[tuple[float, int, int]] = deque(maxlen=MAX_ROUNDS)

    def record_round(self, changed_at: Iterable[datetime] = (), *, by_bell: bool = True) -> None:
        """Records a finished round, also in the metrics.

        `changed_at` are the times of its events. `by_bell`: a bell started the round, not the timer.
        """
        self._last_round_at, now, moments = monotonic(), timezone.now(), list(changed_at)
        missed = 0 if by_bell else len(moments)
        if moments:
            HUB_EVENTS.inc(len(moments))
            BELL_MISSED.inc(missed)
            self._rounds.append((self._last_round_at, len(moments), missed))
        for moment in moments:
            LAG.observe(max((now - moment).total_seconds(), 0))

    @property
    def seconds_since_round(self) -> float:
        return round(monotonic() - self._last_round_at, 1)

    @property
    def misses_bells(self) -> bool:
        """Whether bells are lost: the timer found most events of the last minute, and at least MIN_MISSED."""
        since = monotonic() - WINDOW_SECONDS
        lately = [(events, missed) for at, events, missed in tuple(self._rounds) if at >= since]
        missed = sum(missed for _events, missed in lately)
        return missed >= MIN_MISSED and missed * 2 > sum(events for events, _missed in lately)
