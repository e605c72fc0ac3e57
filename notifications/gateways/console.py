"""Prints instead of sending: the embedded default."""

from __future__ import annotations

import sys

from customers import phones
from notifications import segments
from notifications.gateways.base import Accepted, Gateway, Message


class Console(Gateway):
    """One block a message on standard output; the number is masked, because that output is a log."""

    def transmit(self, message: Message) -> Accepted:
        head = f"SMS {phones.mask(message.phone)} ({segments.count(message.text)})"
        sys.stdout.write(f"── {head} ──\n{message.text}\n")
        sys.stdout.flush()
        return Accepted(raw_status="printed")
