"""The product without the sending of SMS: it leaves them pending. For measuring a change alone."""

from __future__ import annotations

from luckygas.asgi import application
from notifications import sender

__all__ = ["application"]
vars(sender)["deliver"] = lambda ids: None
