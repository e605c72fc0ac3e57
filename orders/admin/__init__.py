"""The office's tool: Django's own admin, in our colours."""

from __future__ import annotations

from orders.admin import customers, driver, order, route

__all__ = ["customers", "driver", "order", "route"]
