"""Encodes messages to clients: events in their envelope, and flat messages such as errors (docs/realtime.md)."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.utils import timezone
from django.utils.functional import Promise

if TYPE_CHECKING:  # uvicorn's `--ws` imports this module before Django's models can be imported
    from realtime.models import Event

# The first byte of a frame that is a whole text message.
FIN_TEXT = 0x81
# Clients reconnect at a random time within this many seconds after their server restarts.
RETRY_SECONDS = 5


def encode(message: dict[str, Any]) -> str:
    return json.dumps(message, ensure_ascii=False, separators=(",", ":"), default=str)


def iso(moment: datetime) -> str:
    """ISO 8601 in Taipei time with its offset, to the millisecond."""
    return timezone.localtime(moment).isoformat(timespec="milliseconds")


def iso_of_timestamp(seconds: float | None) -> str | None:
    """Formats seconds since 1970 in the same way as `iso`. None stays None."""
    return None if seconds is None else iso(datetime.fromtimestamp(seconds, UTC))


def envelope(event: Event) -> dict[str, Any]:
    """The event as clients receive it, by socket and by REST."""
    return {
        "type": event.type, "id": event.seq, "channel": event.channels[0], "timestamp": iso(event.created_at),
        "data": event.data,
    }  # fmt: skip


def encode_frame(text: str) -> bytes:
    """A text message as one unmasked WebSocket frame, as a server sends it (RFC 6455, 5.2)."""
    payload = text.encode()
    length = len(payload)
    if length < 126:
        return struct.pack("!BB", FIN_TEXT, length) + payload
    if length < 1 << 16:
        return struct.pack("!BBH", FIN_TEXT, 126, length) + payload
    return struct.pack("!BBQ", FIN_TEXT, 127, length) + payload


def restart_message() -> str:
    """The message before a close with 1012. `retry_in` (seconds) is random, so clients do not all reconnect at once."""
    return encode({"type": "restart", "retry_in": round(random.uniform(0, RETRY_SECONDS), 2)})  # noqa: S311


def add_pairs(channels: Iterable[str]) -> frozenset[str]:
    """Adds pairs such as `customer:5/order:17` to the channels of an order's event.

    They combine each customer and driver channel with each `order:` and `track:` channel. Drivers, customers and link
    holders who subscribe to an `order:` or `track:` channel receive only events with their own pair. So they miss
    events from when the order belonged to somebody else.
    """
    orders = [name for name in channels if name.startswith(("order:", "track:"))]
    profiles = [name for name in channels if name.startswith(("customer:", "driver:"))] if orders else []
    return frozenset([*channels, *(f"{profile}/{order}" for profile in profiles for order in orders)])


@dataclass(frozen=True, slots=True)
class Encoded:
    """An event, encoded once for all readers. `channels` includes the pairs of `add_pairs`."""

    seq: int
    type: str
    channels: frozenset[str]
    data: dict[str, Any]
    text: str
    created_at: datetime

    @classmethod
    def of(cls, event: Event) -> Encoded:
        text = encode(envelope(event))
        return cls(event.seq, event.type, add_pairs(event.channels), event.data, text, event.created_at)

    @classmethod
    def ephemeral(cls, type_: str, channel: str, channels: Iterable[str], data: dict[str, Any]) -> Encoded:
        """An event that is not in the log, has no id and cannot be replayed. Its envelope names `channel`."""
        now = timezone.now()
        text = encode({"type": type_, "channel": channel, "timestamp": iso(now), "data": data})
        return cls(0, type_, frozenset(channels), data, text, now)


def error_message(code: str, detail: str | Promise, ref: Any = None) -> str:
    """The message for a refusal. `ref` is that of the client's message, or a refused channel of the URL."""
    return encode({"type": "error", "code": code, "detail": str(detail), "ref": ref})
