"""The end of the log of events, read before the rows of an answer (headers `Last-Event-Id`, `Last-Event-Epoch`).

A page loads its state, then connects with `since=` and `epoch=` these: nothing falls between. The log belongs to an app
further to the right, which provides the function that reads its end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

ID, EPOCH = "Last-Event-Id", "Last-Event-Epoch"


@dataclass(frozen=True, slots=True)
class Position:
    """The end of the log: the number of its last event, and the epoch of the numbers."""

    seq: int
    epoch: str = ""


_provider: Callable[[], Position | None] | None = None


def provide(position: Callable[[], Position | None] | None) -> None:
    """Names the function that reads the end of the log; it may answer None, and then there is no header."""
    global _provider  # noqa: PLW0603  (one log a site, named once at start)
    _provider = position


def position() -> Position | None:
    return _provider() if _provider is not None else None
