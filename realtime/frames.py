"""The text of frames: events in their envelope, and the flat ones (README, “Real time”)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.functional import Promise

from realtime.models import Event


def encode(frame: dict[str, Any]) -> str:
    return json.dumps(frame, ensure_ascii=False, separators=(",", ":"), default=str)


def iso(moment: datetime) -> str:
    """ISO 8601 with the offset of Taipei, to the millisecond."""
    return timezone.localtime(moment).isoformat(timespec="milliseconds")


def envelope(event: Event) -> dict[str, Any]:
    """An event as clients see it, on the socket and by REST."""
    return {
        "type": event.type, "id": event.seq, "channel": event.channels[0], "timestamp": iso(event.created_at),
        "data": event.data,
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Encoded:
    """An event encoded once, for all its readers."""

    seq: int
    type: str
    channels: frozenset[str]
    data: dict[str, Any]
    text: str
    created_at: datetime

    @classmethod
    def of(cls, event: Event) -> Encoded:
        text = encode(envelope(event))
        return cls(event.seq, event.type, frozenset(event.channels), event.data, text, event.created_at)


def error(code: str, detail: str | Promise, ref: Any = None) -> str:
    """A refusal; the connection stays open."""
    return encode({"type": "error", "code": code, "detail": str(detail), "ref": ref})
