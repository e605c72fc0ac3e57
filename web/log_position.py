"""The head of the event log, read before the rows of an answer (headers `Last-Event-Id`, `Last-Event-Epoch`).

A page loads its state, then connects with these values as `since=` and `epoch=`, so it misses no event in between. The
log belongs to the app `realtime`, which this app must not import; `realtime` provides the function that reads the head.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

ID, EPOCH = "Last-Event-Id", "Last-Event-Epoch"


@dataclass(frozen=True, slots=True)
class Position:
    """The id of the log's last event, and the epoch that the id belongs to."""

    seq: int
    epoch: str = ""


_provider: Callable[[], Position | None] | None = None


def provide(position: Callable[[], Position | None] | None) -> None:
    """Registers the function that reads the head of the log. If it returns None, the answer has no headers."""
    global _provider  # noqa: PLW0603  (one event log for the site; its function is registered once at start)
    _provider = position


def position() -> Position | None:
    return _provider() if _provider is not None else None
