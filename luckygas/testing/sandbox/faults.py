"""What the provider does wrong, for the next so many requests or until it is told otherwise."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from enum import StrEnum

# A client that waits longer than this has no time limit.
LONGEST_SECONDS = 60.0


class Kind(StrEnum):
    SLOW = "slow"  # answers after `seconds`
    REFUSE = "refuse"  # with `code`, the provider's own; the message is not taken
    HANG = "hang"  # never answers
    DROP_BEFORE = "drop_before"  # closes the connection with the request unread; the message is not taken
    DROP_AFTER = "drop_after"  # closes it instead of answering
    GARBAGE = "garbage"
    HTML = "html"
    HUGE = "huge"  # ten megabytes
    TWICE = "twice"  # the answer, and the same again behind it


class On(StrEnum):
    """Which requests."""

    SEND = "send"
    ASK = "ask"  # for a message's status, the balance, the provider's health


@dataclass(frozen=True, slots=True)
class Fault:
    """`times`: None, until changed. `taken`: whether the message is sent all the same, where the kind may do either."""

    kind: Kind
    times: int | None = None
    code: str = ""
    seconds: float = LONGEST_SECONDS
    on: On = On.SEND
    taken: bool = True


class Faults:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.now: Fault | None = None

    def set(self, fault: Fault | None) -> None:
        with self._lock:
            self.now = fault

    def next(self, on: On) -> Fault | None:
        """What this request meets."""
        with self._lock:
            fault = self.now
            if fault is None or fault.on != on:
                return None
            if fault.times is not None:
                self.now = replace(fault, times=fault.times - 1) if fault.times > 1 else None
            return fault
