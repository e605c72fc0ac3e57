"""Simulated faults of the provider. A fault applies to a number of requests, or until another one is set."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from enum import StrEnum

# The longest delay of a response. No timeout of a gateway is longer (SMS_TIMEOUT_SECONDS).
LONGEST_SECONDS = 60.0


class FaultKind(StrEnum):
    """What the provider does with a request."""

    SLOW = "slow"  # answers after `seconds`
    REFUSE = "refuse"  # answers with the error `code` and does not accept the message
    HANG = "hang"  # closes the connection after `seconds` without an answer
    DROP_BEFORE = "drop_before"  # closes the connection without reading the request or accepting the message
    DROP_AFTER = "drop_after"  # reads the request, then closes the connection without an answer
    GARBAGE = "garbage"  # answers with arbitrary bytes
    HTML = "html"  # answers with an HTML page
    HUGE = "huge"  # answers with ten megabytes
    TWICE = "twice"  # sends its answer twice over the same connection


class On(StrEnum):
    """The requests to which a fault applies."""

    SEND = "send"
    ASK = "ask"  # queries of status, balance and health


@dataclass(frozen=True, slots=True)
class SandboxFault:
    """A fault, and the requests to which it applies.

    `times`: number of requests; None: until another fault is set. `code`: the error of REFUSE; the HTTP status of HTML,
    GARBAGE and HUGE. `taken`: whether the message is accepted anyway; REFUSE and DROP_BEFORE never accept it.
    """

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
        """Returns the fault for this request, if any, and counts the request."""
        with self._lock:
            fault = self.now
            if fault is None or fault.on != on:
                return None
            if fault.times is not None:
                self.now = replace(fault, times=fault.times - 1) if fault.times > 1 else None
            return fault
