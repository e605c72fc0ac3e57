"""Numbers as cells hold them: in Chinese, or with what a spreadsheet adds to them."""

from __future__ import annotations

import re
import unicodedata

DIGITS = {digit: value for value, digit in enumerate("零一二三四五六七八九")} | {"〇": 0, "○": 0, "兩": 2, "两": 2}
CHINESE = re.compile(r"(?:([一二三四五六七八九])?(十))?([零〇一二三四五六七八九兩两])?")
# `912000136.0`; and what a narrow column makes of it, as far as no digit is lost: `9.12000136E+08`.
FLOAT = re.compile(r"(\d+)\.0+|(\d)\.(\d+)e\+?0*(\d+)", re.IGNORECASE)


def chinese(text: str) -> int | None:
    """Zero to ninety-nine in Chinese numerals; None: it is no such number."""
    match = CHINESE.fullmatch(text)
    if not match or not text:
        return None
    tens, ten, ones = match.groups()
    return (DIGITS[tens] if tens else 1 if ten else 0) * 10 + (DIGITS[ones] if ones else 0)


def whole(text: str) -> str:
    """A whole number without the decimals that a spreadsheet added; any other text as it is."""
    match = FLOAT.fullmatch(unicodedata.normalize("NFKC", text).strip())
    if not match:
        return text
    if match[1]:
        return match[1]
    return match[2] + match[3] if len(match[3]) == int(match[4][:3]) else text
