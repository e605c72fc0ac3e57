"""Keeps what is sent in a list, for tests."""

from __future__ import annotations

from typing import ClassVar

from notifications.gateways.base import Accepted, Gateway, Message


class Memory(Gateway):
    """`Memory.outbox` holds the messages in the order they came (appending to a list is atomic)."""

    outbox: ClassVar[list[Message]] = []

    def transmit(self, message: Message) -> Accepted:
        self.outbox.append(message)
        return Accepted(raw_status="kept")
