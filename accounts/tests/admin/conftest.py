"""Fixtures of the admin's tests: the office's browser, and its day."""

from __future__ import annotations

from orders.tests.admin.conftest import _two_days_before, office

__all__ = ["_two_days_before", "office"]
