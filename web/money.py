"""Sums of money: whole NT$."""

from __future__ import annotations

# The largest that a price or a payment at the door may be; more is a typing error.
MOST_MONEY = 10_000_000
