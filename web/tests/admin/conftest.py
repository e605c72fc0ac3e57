"""Fixtures of the admin's tests, shared with those of orders: the office's browser and a fixed day."""

from __future__ import annotations

from orders.tests.admin.conftest import _two_days_before, office

__all__ = ["_two_days_before", "office"]
