"""What a hub counts of itself."""

from __future__ import annotations

import time
from collections import deque
from datetime import datetime

from django.utils import timezone


class Statistics:
    """Counters since the start of the process. Lag is from the change to the write, in milliseconds."""

    def __init__(self) -> None:
        self.events = 0
        self.deliveries = 0
        self.bell_missed = 0
        self._lags: deque[float] = deque(maxlen=100)
        self._looked = time.monotonic()

    def looked(self) -> None:
        """A round is done: the log was read and what was new was written."""
        self._looked = time.monotonic()

    @property
    def seconds_since_look(self) -> float:
        return round(time.monotonic() - self._looked, 1)

    def event(self, created_at: datetime) -> None:
        self.events += 1
        self._lags.append((timezone.now() - created_at).total_seconds() * 1000)

    @property
    def lag_ms(self) -> float:
        """The mean of the last hundred events; 0 before the first."""
        return round(sum(self._lags) / len(self._lags), 1) if self._lags else 0.0
