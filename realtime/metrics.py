"""What hubs and sockets count, where it happens."""

from __future__ import annotations

from prometheus_client import Counter, Histogram, Summary

from web.metrics import kept

# Upper ends in milliseconds, from the change to the write on sockets.
LAGS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
# Close codes counted by name: the standard's and ours. A client may send any other.
KNOWN_CODES = {*range(1000, 1016), 4008, *range(4400, 4500)}

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


def opened(recovered: bool | None) -> None:
    """A connection. `recovered`: whether its cursor was still good; None: it came without one."""
    CONNECTS.inc()
    if recovered is not None:
        RECONNECTS.labels(str(recovered).lower()).inc()


def ended(code: int, seconds: float) -> None:
    CLOSES.labels(code if code in KNOWN_CODES else "other").inc()
    OPEN_SECONDS.observe(seconds)
