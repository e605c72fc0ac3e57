"""Orders out of the sheets an office types: bytes → sheet → drafts → orders, and a report of each row."""

from __future__ import annotations
