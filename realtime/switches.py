"""What the switches do to the sockets of one hub (README, “Switches”), from memory, which the hub refreshes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from realtime import frames, log, rights
from realtime.audience import Audience
from realtime.frames import Encoded
from realtime.models import LogHead
from web import flags

# Close code: sockets are not to be had, come back later (IANA's registry of RFC 6455).
TRY_AGAIN_LATER = 1013


class Switches:
    """Of one hub. `ask` calls a function on a thread; all else is on the event loop."""

    def __init__(self, audience: Audience, ask: Callable[..., Awaitable[None]]) -> None:
        self._audience, self._ask = audience, ask
        # Whether pages were told that nothing is pushed.
        self.paused = False
        # Up to where ends of rights were obeyed while nothing was pushed.
        self.obeyed = 0

    async def refresh(self, *, rung: bool) -> None:
        """With the timer always, so that a hub at rest knows within a second; else where what is known is old."""
        older_than = flags.MEMORY_SECONDS if rung else 0
        if flags.age() > older_than:
            await self._ask(flags.refresh, older_than)

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


def look_for_ends(after: int, epoch: str = "") -> tuple[LogHead, list[Encoded]]:
    """Numbers what waits; the end of the log, which was read up to `after`, and the rights that ended behind it."""
    log.number()
    end = log.head()
    if end.epoch == epoch and end.seq < after:
        log.begin_epoch(end)
        end = log.head()
    return end, rights.ended_after(after)
