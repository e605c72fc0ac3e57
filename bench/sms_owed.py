"""The product, where an SMS that is owed is written and left to `send_pending_sms`: a change without its sending."""

from __future__ import annotations

from luckygas.asgi import application
from notifications import sender

__all__ = ["application"]
vars(sender)["deliver"] = lambda ids: None
