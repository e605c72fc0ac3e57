"""Imports orders from spreadsheets: bytes → sheet → drafts → orders, with a report of each row."""

from __future__ import annotations
