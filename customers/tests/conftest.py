"""Fixtures from the admin tests of orders: the office's browser and the clock."""

from __future__ import annotations

from orders.tests.admin.conftest import _two_days_before, office

__all__ = ["_two_days_before", "office"]
