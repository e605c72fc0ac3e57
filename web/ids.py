"""Ids of rows, as their 64-bit columns hold them."""

from __future__ import annotations

MOST_ID = 2**63 - 1


def is_id(text: str) -> bool:
    """Whether a text is an id that a column can hold: of 18 digits at the most, however large they are."""
    return text.isascii() and text.isdecimal() and len(text) < len(str(MOST_ID))
