"""The open connections of one hub and their subscriptions."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable

from realtime import channels
from realtime.connection import TOO_MANY_CONNECTIONS, UNAUTHORIZED, Connection, connection_limit
from realtime.frames import Encoded
from realtime.rights import Revocations


class Readers:
    """The connections of one hub, called its readers. Use it on the event loop only."""

    def __init__(self) -> None:
        self.open: set[Connection] = set()
        self.by_channel: defaultdict[str, set[Connection]] = defaultdict(set)
        # Set when a socket opened or closed; wakes `Presence`.
        self.changed = asyncio.Event()
        self.revocations = Revocations()
        self._by_owner: defaultdict[str, dict[Connection, None]] = defaultdict(dict)

    def join(self, reader: Connection, subscribed: Iterable[str]) -> None:
        """Adds a reader. Applies the connection limit, and closes the reader if its rights were revoked."""
        self.open.add(reader)
        self.subscribe(reader, subscribed)
        self.changed.set()
        self._by_owner[reader.identity.owner][reader] = None
        self._close_oldest(reader.identity.owner)
        if self.revocations.cover(reader.identity):
            reader.close(UNAUTHORIZED)

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
        """Subscribes a reader from the next event on. Do not await between reading the hub's cursor and this call."""
        for channel in subscribed:
            reader.channels.add(channel)
            for name in channels.event_channels(reader.identity, channel):
                self.by_channel[name].add(reader)

    def unsubscribe(self, reader: Connection, channel: str) -> None:
        reader.channels.discard(channel)
        for name in channels.event_channels(reader.identity, channel):
            self.by_channel[name].discard(reader)
            if not self.by_channel[name]:
                del self.by_channel[name]

    def revoke(self, event: Encoded) -> None:
        """Closes the sockets whose rights this event revokes, so that they receive no later events."""
        self.revocations.add(event)
        for reader in tuple(self.open):
            if self.revocations.cover(reader.identity):
                reader.close(UNAUTHORIZED)

    def close_all(self, code: int) -> None:
        for reader in tuple(self.open):
            reader.close(code)

    def _close_oldest(self, owner: str) -> None:
        """Applies the connection limit. Closes the oldest connections, because the user most likely uses the newest."""
        of_owner = [reader for reader in self._by_owner[owner] if not reader.closing.done()]
        for reader in of_owner[: max(len(of_owner) - connection_limit(owner), 0)]:
            reader.close(TOO_MANY_CONNECTIONS)
