"""Gateways that send nothing, for development and tests."""

from __future__ import annotations

import sys
from typing import ClassVar

from customers import phones
from notifications import carrier_rules
from notifications.gateways.base import Accepted, Gateway, Message


class Console(Gateway):
    """The default: prints each message to standard output. The number is masked, because that output is a log."""

    def transmit(self, message: Message) -> Accepted:
        head = f"SMS {phones.mask(message.phone)} ({carrier_rules.segments(message.text)})"
        sys.stdout.write(f"── {head} ──\n{message.text}\n")
        sys.stdout.flush()
        return Accepted(raw_status="printed")


class Memory(Gateway):
    """For tests: appends each message to `Memory.outbox` (`list.append` is atomic)."""

    outbox: ClassVar[list[Message]] = []

    def transmit(self, message: Message) -> Accepted:
        self.outbox.append(message)
        return Accepted(raw_status="kept")
