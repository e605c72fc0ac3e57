"""The office's tool: Django's own admin, in our colours."""

from __future__ import annotations

from orders.admin import customer, driver, order, product, route

__all__ = ["customer", "driver", "order", "product", "route"]
