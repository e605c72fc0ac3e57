"""What the words of an SMS may hold, checked before it is sent; and how many SMS they are, and so what they cost.

Since 2024-11-18 each URL, short URL and telephone number in a commercial SMS must be registered beforehand, and since
2025-11-01 the sender's name must stand in it (rules of the NCC that the carriers enforce). What does not is blocked on
the way, and the provider still answers “accepted”: so it is refused here, where somebody sees it.
"""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import urlsplit

from django.conf import settings

from notifications.states import Reason

MOST_SEGMENTS = 3
# With a scheme or `www.` any host; without, what telephones make a link of: a name, a dot, and letters behind it, or
# four numbers.
HOST = r"[^\s/?#:@，。、！「」（）()]+"
LINK = re.compile(
    rf"(?:https?://|www\.)(?:[^\s/@]*@)?(?P<named>{HOST})"
    r"|(?P<bare>(?:[\w-]+\.)+(?:[a-z]{2,}|台灣|台湾)(?![a-z])|(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.]))",
    re.IGNORECASE,
)
# The shortest number that can be dialled from a mobile has an area code: seven digits at the least.
TELEPHONE = re.compile(r"\d(?:[\s().,/_・·\-–—]*\d){6,}")
# 11/23, 2026-11-23 or 115.11.23, one or from one to another.
DAY = r"(?:(?:20\d\d|1\d\d)[-/.])?(?:0?[1-9]|1[0-2])[-/.](?:0?[1-9]|[12]\d|3[01])"
DAYS = re.compile(rf"(?<![\d/.-])(?<!\d\s){DAY}(?:\s*[-–—]\s*{DAY})?(?!\d|[/.-]\d)")
GSM_7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
# Each is sent as an escape and a character.
GSM_7_EXTENDED = frozenset("^{}\\[~]|€\f")
# Units of a text that is one segment, and of each part of a longer one (the rest is the header that joins them).
GSM_7_UNITS = (160, 153)
UCS_2_UNITS = (70, 67)


def violation(text: str, literal: str) -> Reason | None:
    """What forbids sending `text`; `literal` is what a person typed of it, without what the system put in."""
    if telephones(literal) or foreign_links(text):
        return Reason.NOT_REGISTERED
    return Reason.TOO_LONG if segments(text) > MOST_SEGMENTS else None


def telephones(text: str) -> list[str]:
    """What can be dialled, in whatever digits it is written."""
    return TELEPHONE.findall(DAYS.sub("*", _plain(text)))


def foreign_links(text: str) -> list[str]:
    """The hosts of links that are not registered."""
    found = ((match["named"] or match["bare"]).rstrip(".,;!'\"") for match in LINK.finditer(_plain(text)))
    return [host for host in found if host.lower() not in registered_hosts()]


def registered_hosts() -> set[str]:
    named = settings.SMS_LINK_HOSTS or [urlsplit(settings.TRACKING_URL).hostname or ""]
    return {host.lower() for host in named}


def _plain(text: str) -> str:
    """As a telephone reads it: no full-width forms, nothing invisible, and the dots that browsers take for one."""
    visible = (c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) != "Cf")
    return re.sub(r"(?<=[a-z0-9])。(?=[a-z0-9])", ".", "".join(visible), flags=re.IGNORECASE)


def segments(text: str) -> int:
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
