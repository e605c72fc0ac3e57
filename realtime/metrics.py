"""What hubs and sockets count, where it happens."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from datetime import datetime
from time import monotonic

from django.utils import timezone
from prometheus_client import Counter, Histogram, Summary

from web.metrics import kept

# Upper ends in milliseconds, from the change to the write on sockets.
LAGS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
# Close codes counted by name: the standard's and ours. A client may send any other.
KNOWN_CODES = {*range(1000, 1016), 4008, *range(4400, 4500)}
# What `Pulse` remembers: so many seconds, and rounds with events.
LATELY_SECONDS = 60.0
MOST_ROUNDS = 100
# So many events of the last minute that no bell announced are no chance, where they are most of them.
MANY_MISSED = 5

LAG = kept(
    Histogram(
        "luckygas_hub_lag_seconds",
        "From the change to the write on the sockets, once for each hub that reads the event.",
        buckets=[bound / 1000 for bound in LAGS],
    )
)
NUMBERED = kept(Counter("luckygas_events_numbered", "Events that this process wrote into the log."))
HUB_EVENTS = kept(Counter("luckygas_hub_events", "Events read from the log, by each hub."))
DELIVERIES = kept(Counter("luckygas_event_deliveries", "Events written to sockets."))
BELL_MISSED = kept(Counter("luckygas_bell_missed", "Events found by the timer and not by the bell."))
MESSAGES = kept(Counter("luckygas_websocket_messages", "Messages of clients."))
CONNECTS = kept(Counter("luckygas_websocket_connects", "Sockets that were let in."))
ERRORS = kept(Counter("luckygas_websocket_errors", "Refusals told to clients, by code.", ["code"]))
CLOSES = kept(Counter("luckygas_websocket_disconnects", "Sockets that ended, by close code.", ["code"]))
OPEN_SECONDS = kept(Summary("luckygas_websocket_open_seconds", "How long the sockets were open that ended."))
RECONNECTS = kept(
    Counter(
        "luckygas_websocket_reconnects",
        "Sockets that came with a cursor: resumed (true), or too late and told to load afresh (false).",
        ["recovered"],
    )
)


class Pulse:
    """What one hub knows of itself: when it last read the log, and whether bells reach it. Others read it."""

    def __init__(self) -> None:
        self._looked = monotonic()
        # When a round ended, its events, and how many of them no bell announced.
        self._rounds: deque[tuple[float, int, int]] = deque(maxlen=MOST_ROUNDS)

    def looked(self, changed_at: Iterable[datetime] = (), *, rung: bool = True) -> None:
        """A round is done: the log was read, and what was new, changed at these times, was written to the sockets."""
        self._looked, now, moments = monotonic(), timezone.now(), list(changed_at)
        missed = 0 if rung else len(moments)
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
    def is_deaf(self) -> bool:
        """Whether most events of the last minute came with the timer and not with a bell."""
        since = monotonic() - LATELY_SECONDS
        lately = [(events, missed) for at, events, missed in tuple(self._rounds) if at >= since]
        missed = sum(missed for _events, missed in lately)
        return missed >= MANY_MISSED and missed * 2 > sum(events for events, _missed in lately)
