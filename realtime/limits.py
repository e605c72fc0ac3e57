"""How much a client may say, how long it may say nothing, and how many sockets one may have (README, “Limits”)."""

from __future__ import annotations

from time import monotonic

from django.conf import settings

# Close code: sockets are not to be had, come back later (IANA's registry of RFC 6455).
TRY_AGAIN_LATER = 1013
# Close code: sign in again, or come with a new token.
ENDED = 4401
# Close code of the oldest when there is one too many.
TOO_MANY_CONNECTIONS = 4409
# A link is passed on in a family or an office, and forwarded no further.
PER_LINK = 20
SILENT = 4408
TOO_FAST = 4429
# Who goes on after so many refused messages, less so many a second, is closed.
MOST_REFUSALS = 100
REFUSALS_FORGOTTEN_PER_SECOND = 10.0


class Allowance:
    """A token bucket: `burst` at once, `per_second` in the long run."""

    __slots__ = ("_at", "_burst", "_left", "_per_second")

    def __init__(self, per_second: float, burst: float) -> None:
        self._per_second, self._burst = per_second, burst
        self._left, self._at = burst, monotonic()

    def take(self) -> bool:
        now = monotonic()
        self._left = min(self._burst, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


def most_connections(owner: str) -> int:
    """Of `user:17` or `track:5` (`Identity.owner`)."""
    return PER_LINK if owner.startswith("track:") else settings.WEBSOCKET_CONNECTIONS_PER_USER
