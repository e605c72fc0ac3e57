"""Fixtures from the admin tests of orders: the office's browser and the clock."""

from __future__ import annotations

from orders.tests.admin.conftest import _clock_at_21_november, office

__all__ = ["_clock_at_21_november", "office"]
