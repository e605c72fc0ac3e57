"""The office's tool: Django's own admin, in our colours."""

from __future__ import annotations

from orders.admin import dispatch, order

__all__ = ["dispatch", "order"]
