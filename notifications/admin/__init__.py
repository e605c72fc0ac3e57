"""The office's pages of this app, registered on import."""

from __future__ import annotations

from notifications.admin import history, texts

__all__ = ["history", "texts"]
