"""The office's pages of this app, registered on import."""

from __future__ import annotations

from notifications.admin import gateways, history, texts

__all__ = ["gateways", "history", "texts"]
