"""Who reads in this process, and what: the open connections and their subscriptions."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable

from realtime import channels
from realtime.connection import ENDED, TOO_MANY_CONNECTIONS, Connection, most_connections
from realtime.frames import Encoded
from realtime.rights import Ends


class Readers:
    """Used on the event loop only."""

    def __init__(self) -> None:
        self.open: set[Connection] = set()
        self.by_channel: defaultdict[str, set[Connection]] = defaultdict(set)
        # Set when somebody came or went, for who writes that down.
        self.changed = asyncio.Event()
        self.ends = Ends()
        self._by_owner: defaultdict[str, dict[Connection, None]] = defaultdict(dict)

    def join(self, reader: Connection, subscribed: Iterable[str]) -> None:
        self.open.add(reader)
        self.subscribe(reader, subscribed)
        self.changed.set()
        self._by_owner[reader.identity.owner][reader] = None
        self._close_oldest(reader.identity.owner)
        if self.ends.concern(reader.identity):
            reader.close(ENDED)

    def leave(self, reader: Connection) -> None:
        for channel in tuple(reader.channels):
            self.unsubscribe(reader, channel)
        self.open.discard(reader)
        self.changed.set()
        owner = reader.identity.owner
        self._by_owner[owner].pop(reader, None)
        if not self._by_owner[owner]:
            del self._by_owner[owner]

    def subscribe(self, reader: Connection, subscribed: Iterable[str]) -> None:
        """From the next event on. To be called in the same breath as reading the hub's cursor."""
        for channel in subscribed:
            reader.channels.add(channel)
            for name in channels.read_as(reader.identity, channel):
                self.by_channel[name].add(reader)

    def unsubscribe(self, reader: Connection, channel: str) -> None:
        reader.channels.discard(channel)
        for name in channels.read_as(reader.identity, channel):
            self.by_channel[name].discard(reader)
            if not self.by_channel[name]:
                del self.by_channel[name]

    def end(self, event: Encoded) -> None:
        """Closes whose rights this event ends: nothing that follows it in the log is for them."""
        self.ends.hear(event)
        for reader in tuple(self.open):
            if self.ends.concern(reader.identity):
                reader.close(ENDED)

    def close_all(self, code: int) -> None:
        for reader in tuple(self.open):
            reader.close(code)

    def _close_oldest(self, owner: str) -> None:
        """A user has so many windows and telephones; the one looked at last is the one they use."""
        of_owner = [reader for reader in self._by_owner[owner] if not reader.closing.done()]
        for reader in of_owner[: max(len(of_owner) - most_connections(owner), 0)]:
            reader.close(TOO_MANY_CONNECTIONS)
