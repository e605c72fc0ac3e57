"""Who reads which channel in this process, and who gets which events of a round."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable

from accounts.roles import Side
from realtime import rights
from realtime.channels import Identity
from realtime.connection import Connection
from realtime.frames import Encoded
from realtime.limits import ENDED, TOO_MANY_CONNECTIONS, most_connections
from realtime.models import Event
from realtime.rights import Ends

# What the hub obeys when it reads it, before it writes anything that follows.
ENDING = frozenset({"order.unassigned", rights.TYPE})


class Audience:
    """The open connections and their subscriptions. Used on the event loop only."""

    def __init__(self) -> None:
        self.readers: set[Connection] = set()
        # Set when somebody came or went, for who writes that down.
        self.stirred = asyncio.Event()
        self._by_owner: defaultdict[str, dict[Connection, None]] = defaultdict(dict)
        self.ends = Ends()
        # Who lost a channel `order:…` by the log: an order may come back.
        self._lost: defaultdict[str, set[Connection]] = defaultdict(set)
        self.by_channel: defaultdict[str, set[Connection]] = defaultdict(set)

    def join(self, reader: Connection, channels: Iterable[str]) -> None:
        self.readers.add(reader)
        self.subscribe(reader, channels)
        self.stirred.set()
        self._by_owner[reader.identity.owner][reader] = None
        self._close_oldest(reader.identity.owner)
        if self.ends.concern(reader.identity):
            reader.close(ENDED)

    def leave(self, reader: Connection) -> None:
        for channel in tuple(reader.channels):
            self.unsubscribe(reader, channel)
        for channel in [channel for channel, readers in self._lost.items() if reader in readers]:
            self._find_again(reader, channel)
        self.readers.discard(reader)
        self.stirred.set()
        owner = reader.identity.owner
        self._by_owner[owner].pop(reader, None)
        if not self._by_owner[owner]:
            del self._by_owner[owner]

    def _close_oldest(self, owner: str) -> None:
        """A user has so many windows and telephones; the one looked at last is the one they use."""
        of_owner = [reader for reader in self._by_owner[owner] if not reader.closing.done()]
        for reader in of_owner[: max(len(of_owner) - most_connections(owner), 0)]:
            reader.close(TOO_MANY_CONNECTIONS)

    def subscribe(self, reader: Connection, channels: Iterable[str]) -> None:
        """From the next event on. To be called in the same breath as reading the hub's cursor."""
        for channel in channels:
            reader.channels.add(channel)
            self.by_channel[channel].add(reader)

    def unsubscribe(self, reader: Connection, channel: str) -> None:
        self._find_again(reader, channel)
        reader.channels.discard(channel)
        self.by_channel[channel].discard(reader)
        if not self.by_channel[channel]:
            del self.by_channel[channel]

    def lose(self, reader: Connection, channel: str) -> None:
        """An order that is not theirs by now; by the event that gives it back, they follow it again."""
        self.unsubscribe(reader, channel)
        self._lost[channel].add(reader)

    def obey(self, event: Encoded) -> None:
        """Ends the rights that this event of ENDING ends: nothing that follows it in the log is for their holders."""
        (self._end_order if event.type == "order.unassigned" else self._end_account)(event)

    def _end_account(self, event: Encoded) -> None:
        self.ends.hear(event)
        for reader in self.readers:
            if self.ends.concern(reader.identity):
                reader.close(ENDED)

    def close_changed(self, readers: Iterable[Connection], present: dict[int, str]) -> None:
        """Closes those of `readers` whose rights are not their users' present ones (`rights.present`)."""
        for reader in readers:
            if reader.identity.user_id is not None and present.get(reader.identity.user_id) != reader.identity.rights:
                reader.close(ENDED)

    def _end_order(self, event: Encoded) -> None:
        channel = f"order:{event.data['order_id']}"
        for reader in tuple(self.by_channel.get(channel, ())):
            if loses_right(reader.identity, event):
                self.lose(reader, channel)
        # Another customer, another link: whoever holds the old one follows nothing any more.
        for reader in tuple(self.by_channel.get(f"track:{event.data['order_id']}", ())):
            if loses_right(reader.identity, event):
                self.unsubscribe(reader, f"track:{event.data['order_id']}")
                reader.close(ENDED)

    def regaining(self, event: Encoded) -> list[Connection]:
        """Who lost this event's order, and has it again by this event: they are to follow it from here."""
        lost = self._lost.get(order_channel(event), ())
        return [reader for reader in lost if gains_right(reader.identity, event)]

    def regain(self, readers: Iterable[Connection], event: Encoded) -> None:
        for reader in readers:
            self._find_again(reader, order_channel(event))
            self.subscribe(reader, [order_channel(event)])

    def _find_again(self, reader: Connection, channel: str) -> None:
        self._lost[channel].discard(reader)
        if not self._lost[channel]:
            del self._lost[channel]

    def sees(self, reader: Connection, channels: set[str], lost: set[str], event: Encoded) -> bool:
        """Whether a past event is for a reader of `channels`, of which those of `lost` are not theirs at the time."""
        channel = order_channel(event)
        if gains_right(reader.identity, event):
            lost.discard(channel)
        seen = not (channels - lost).isdisjoint(event.channels) and is_own(reader.identity, event)
        if loses_right(reader.identity, event):
            lost.add(channel)
        return seen


def order_channel(event: Encoded) -> str:
    return f"order:{event.data.get('order_id')}"


def loses_right(identity: Identity, event: Encoded) -> bool:
    return event.type == "order.unassigned" and names(identity, event)


def gains_right(identity: Identity, event: Encoded) -> bool:
    """Every event `order.…` says whose it is. Others may name an order too: what is published, by anyone's wish."""
    return event.type.startswith("order.") and event.type != "order.unassigned" and names(identity, event)


def names(identity: Identity, event: Encoded | Event) -> bool:
    """Whether an event is for this driver or this customer. The office has its rights from nobody's order."""
    if identity.is_office:
        return False
    return not {f"driver:{identity.driver_id}", f"customer:{identity.customer_id}"}.isdisjoint(event.channels)


def is_lost(identity: Identity, channel: str, events: Iterable[Encoded]) -> bool:
    """Whether by these events, in the log's order, the right to an order's channel or link has ended."""
    lost, followed = False, channel.replace("track:", "order:")
    for event in events:
        if order_channel(event) == followed:
            lost = loses_right(identity, event) or (lost and not gains_right(identity, event))
    return lost


def is_own(identity: Identity, event: Encoded | Event) -> bool:
    """Who took an order over, as its driver or its customer, does not read of the one before them."""
    if not event.type.startswith("order."):
        return True
    if identity.role == Side.DRIVER:
        return names(identity, event)
    return identity.role != Side.CUSTOMER or event.data.get("customer_id") in (None, identity.customer_id)
