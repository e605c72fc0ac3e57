"""Admin pages of orders, drivers, routes and statistics."""

from __future__ import annotations

from orders.admin import dispatch, order

__all__ = ["dispatch", "order"]
