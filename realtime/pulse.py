"""What a hub knows of itself: when it last read the log, and whether bells reach it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from datetime import datetime
from time import monotonic

from django.utils import timezone

from realtime import metrics

LATELY_SECONDS = 60.0
# Rounds with events that are remembered.
MOST_ROUNDS = 100
# So many events of the last minute that no bell announced are no chance, where they are most of them.
MANY_MISSED = 5


class Pulse:
    """Of one hub. Used on its event loop; others read it."""

    def __init__(self) -> None:
        self._looked = monotonic()
        # When a round ended, its events, and how many of them no bell announced.
        self._rounds: deque[tuple[float, int, int]] = deque(maxlen=MOST_ROUNDS)

    def looked(self, changed_at: Iterable[datetime] = (), *, rung: bool = True) -> None:
        """A round is done: the log was read, and what was new, changed at these times, was written to the sockets."""
        self._looked, now, moments = monotonic(), timezone.now(), list(changed_at)
        missed = 0 if rung else len(moments)
        if moments:
            metrics.HUB_EVENTS.inc(len(moments))
            metrics.BELL_MISSED.inc(missed)
            self._rounds.append((self._looked, len(moments), missed))
        for moment in moments:
            metrics.LAG.observe(max((now - moment).total_seconds(), 0))

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
