"""Checks the text of an SMS against the carriers' rules before it is sent, and counts its segments.

The NCC makes the rules and the carriers enforce them. Since 2024-11-18 each URL, short URL and telephone number in a
commercial SMS must be registered. Since 2025-11-01 the text must name the sender. Carriers block a text that breaks a
rule, while the provider still answers “accepted”. So this check comes first, and staff see its reason.
"""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import urlsplit

from django.conf import settings

from notifications.states import Reason

MAX_SEGMENTS = 3
# After a scheme or `www.` every host is a link. Without them a link is what mobile phones turn into one: a name, a dot
# and letters, or an IPv4 address.
HOST = r"[^\s/?#:@，。、！「」（）()]+"
LINK = re.compile(
    rf"(?:https?://|www\.)(?:[^\s/@]*@)?(?P<named>{HOST})"
    r"|(?P<bare>(?:[\w-]+\.)+(?:[a-z]{2,}|台灣|台湾)(?![a-z])|(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.]))",
    re.IGNORECASE,
)
# At least seven digits with any separators. A complete number has more: a mobile ten, a landline with its area code
# nine or ten.
TELEPHONE = re.compile(r"\d(?:[\s().,/_・·\-–—]*\d){6,}")
# A date or a range of dates: 11/23, 2026-11-23 or 115.11.23.
DAY = r"(?:(?:20\d\d|1\d\d)[-/.])?(?:0?[1-9]|1[0-2])[-/.](?:0?[1-9]|[12]\d|3[01])"
DAYS = re.compile(rf"(?<![\d/.-])(?<!\d\s){DAY}(?:\s*[-–—]\s*{DAY})?(?!\d|[/.-]\d)")
GSM_7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§"
    "¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
# Each of these characters takes two units: an escape and the character.
GSM_7_EXTENDED = frozenset("^{}\\[~]|€\f")
# Maximum units in a single segment, and in each part of a longer text (a header takes the rest).
GSM_7_UNITS = (160, 153)
UCS_2_UNITS = (70, 67)


def violation(text: str, literal: str) -> Reason | None:
    """Returns the rule that `text` breaks, or None. `literal` is the text without its placeholders and their values."""
    if telephones(literal) or foreign_links(text):
        return Reason.NOT_REGISTERED
    return Reason.TOO_LONG if segments(text) > MAX_SEGMENTS else None


def telephones(text: str) -> list[str]:
    """Returns the parts that look like telephone numbers, also in full-width digits. Dates do not count."""
    return TELEPHONE.findall(DAYS.sub("*", _plain(text)))


def foreign_links(text: str) -> list[str]:
    """Returns the hosts of links that are not registered."""
    found = ((match["named"] or match["bare"]).rstrip(".,;!'\"") for match in LINK.finditer(_plain(text)))
    return [host for host in found if host.lower() not in registered_hosts()]


def registered_hosts() -> set[str]:
    named = settings.SMS_LINK_HOSTS or [urlsplit(settings.TRACKING_URL).hostname or ""]
    return {host.lower() for host in named}


def _plain(text: str) -> str:
    """Normalises text as mobile phones do.

    Converts full width to half width, and `。` between Latin letters or digits to a dot. Removes invisible characters.
    """
    visible = (c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) != "Cf")
    return re.sub(r"(?<=[a-z0-9])。(?=[a-z0-9])", ".", "".join(visible), flags=re.IGNORECASE)


def segments(text: str) -> int:
    """Counts the segments of `text`; 0 if it is empty. A character never spans two segments."""
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
    """Returns the units of each character, and how many units a single segment and a part hold."""
    if GSM_7.union(GSM_7_EXTENDED).issuperset(text):
        return [1 + (letter in GSM_7_EXTENDED) for letter in text], GSM_7_UNITS
    return [1 + (ord(letter) > 0xFFFF) for letter in text], UCS_2_UNITS
