"""How many SMS a text is, and so what it costs (3GPP TS 23.038 and 23.040). The one place that counts."""

from __future__ import annotations

GSM_7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
# Each is sent as an escape and a character.
GSM_7_EXTENDED = frozenset("^{}\\[~]|€\f")
# Units of a text that is one segment, and of each part of a longer one (the rest is the header that joins them).
GSM_7_UNITS = (160, 153)
UCS_2_UNITS = (70, 67)


def count(text: str) -> int:
    """Segments of `text`; an empty one has none. A character is never cut in two between segments."""
    widths, (single, part) = _measure(text)
    if sum(widths) <= single:
        return 1 if widths else 0
    segments, used = 1, 0
    for width in widths:
        if used + width > part:
            segments, used = segments + 1, 0
        used += width
    return segments


def _measure(text: str) -> tuple[list[int], tuple[int, int]]:
    """The units of each character, and how many units fit."""
    if GSM_7.union(GSM_7_EXTENDED).issuperset(text):
        return [1 + (letter in GSM_7_EXTENDED) for letter in text], GSM_7_UNITS
    return [1 + (ord(letter) > 0xFFFF) for letter in text], UCS_2_UNITS
