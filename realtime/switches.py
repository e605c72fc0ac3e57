"""What the switches do to the sockets of one hub (README, “Switches”), from memory, which the hub refreshes."""

from __future__ import annotations

from orders import flags
from realtime import frames, log, rights
from realtime.audience import Audience
from realtime.frames import Encoded
from realtime.models import LogHead

# Close code: sockets are not to be had, come back later (IANA's registry of RFC 6455).
TRY_AGAIN_LATER = 1013


class Switches:
    def __init__(self, audience: Audience) -> None:
        self._audience = audience
        # Whether pages were told that nothing is pushed.
        self.paused = False
        # Up to where ends of rights were obeyed while nothing was pushed.
        self.obeyed = 0

    @property
    def serves(self) -> bool:
        return flags.known(flags.WEBSOCKETS)

    @property
    def pushes(self) -> bool:
        return flags.known(flags.REAL_TIME)

    def close_where_off(self) -> None:
        if not self.serves:
            for reader in tuple(self._audience.readers):
                reader.close(TRY_AGAIN_LATER)

    def tell(self) -> bool:
        """Has every page say whether what it shows follows; whether that is news."""
        if self.paused != self.pushes:
            return False
        self.paused = not self.pushes
        for reader in tuple(self._audience.readers):
            reader.say(frames.pushing(not self.paused))
        return True


def refresh(*, rung: bool) -> None:
    """With the timer always, so that a hub at rest knows within a second; else where what is known is old."""
    flags.refresh(flags.MEMORY_SECONDS if rung else 0)


def look_for_ends(after: int) -> tuple[LogHead, list[Encoded]]:
    """Numbers what waits; the end of the log, and the rights that ended after this position."""
    log.number()
    return log.head(), rights.ended_after(after)
