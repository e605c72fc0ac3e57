"""Simulated faults of the provider, for a number of requests or until changed."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from enum import StrEnum

# A client that waits longer has no timeout.
LONGEST_SECONDS = 60.0


class FaultKind(StrEnum):
    SLOW = "slow"  # answers after `seconds`
    REFUSE = "refuse"  # with the provider's `code`; the message is not accepted
    HANG = "hang"  # never answers
    DROP_BEFORE = "drop_before"  # closes the connection with the request unread; the message is not accepted
    DROP_AFTER = "drop_after"  # closes it instead of answering
    GARBAGE = "garbage"
    HTML = "html"
    HUGE = "huge"  # ten megabytes
    TWICE = "twice"  # the answer, and the same again behind it


class On(StrEnum):
    """Which requests fail."""

    SEND = "send"
    ASK = "ask"  # queries of status, balance and health


@dataclass(frozen=True, slots=True)
class SandboxFault:
    """`times`: number of requests; None: until changed. `taken`: whether the message is sent despite the fault."""

    kind: FaultKind
    times: int | None = None
    code: str = ""
    seconds: float = LONGEST_SECONDS
    on: On = On.SEND
    taken: bool = True


class Faults:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.now: SandboxFault | None = None

    def set(self, fault: SandboxFault | None) -> None:
        with self._lock:
            self.now = fault

    def next(self, on: On) -> SandboxFault | None:
        """Returns the fault for this request, and counts it."""
        with self._lock:
            fault = self.now
            if fault is None or fault.on != on:
                return None
            if fault.times is not None:
                self.now = replace(fault, times=fault.times - 1) if fault.times > 1 else None
            return fault
