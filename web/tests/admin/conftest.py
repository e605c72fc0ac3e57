"""Fixtures of the admin's tests: a browser of the office, and the time two days before the orders' date."""

from __future__ import annotations

from orders.tests.admin.conftest import _two_days_before, office

__all__ = ["_two_days_before", "office"]
