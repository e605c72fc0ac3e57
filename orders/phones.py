"""Telephone numbers as people in Taiwan write them.

Stored as E.164, an extension behind it as in RFC 3966 (`+886229300016;ext=29`); shown as `0912-345-678`. Parsed by
`phonenumbers`; the lengths behind each area code are the NCC's numbering plan, which its data does not know in full.
"""

from __future__ import annotations

import re
import unicodedata

import phonenumbers
from django.utils.translation import gettext as _

REGION = "TW"
# Area code → digits behind it. Longer codes first: 037 is Miaoli, not 03 with a number that begins with 7.
AREA_LENGTHS: dict[str, frozenset[int]] = {
    "0826": frozenset({5}), "0836": frozenset({5}),
    "037": frozenset({6}), "049": frozenset({7}), "082": frozenset({6}), "089": frozenset({6}),
    "02": frozenset({8}), "04": frozenset({7, 8}),
    "03": frozenset({7}), "05": frozenset({7}), "06": frozenset({7}), "07": frozenset({7}), "08": frozenset({7}),
}  # fmt: skip
MOBILE = re.compile(r"09[0-8]\d{7}")
OTHER = re.compile(r"0800\d{6}|0809\d{6}|070\d{8}|020\d{7,8}|099\d{7}")
EXTENSION = re.compile(r"\s*(?:;ext=|分機|轉|ext\.?|x|#)\s*[:：]?\s*(\d{1,6})\s*$", re.IGNORECASE)
TWO_NUMBERS = re.compile(r"[/／、,，;；\n或]")


class InvalidPhone(ValueError):
    """The text is no telephone number; the message says why, in the reader's language."""


def split_cell(text: str) -> list[str]:
    """The texts of the numbers in one cell (`0912-345-678/02-2365-0003`), empty ones left out."""
    return [part.strip() for part in TWO_NUMBERS.split(text) if part.strip()]


def normalise(text: str) -> str:
    """E.164, with `;ext=` where there is an extension. Raises InvalidPhone."""
    plain = unicodedata.normalize("NFKC", text).strip()
    if len(plain) > 64:
        raise InvalidPhone(_("A telephone number has at most 64 characters."))
    extension = EXTENSION.search(plain)
    if extension:
        plain = plain[: extension.start()]
    # `00` dials out of Taiwan; `886…` is what is left of `+886…` after a spreadsheet took it for a sum.
    plain = re.sub(r"^\s*(?:00\s*(?=886)|(?=886))", "+", plain)
    plain = re.sub(r"^\s*00", "+", plain)
    try:
        number = phonenumbers.parse(plain, REGION)
    except phonenumbers.NumberParseException:
        raise InvalidPhone(_("“%s” is not a telephone number.") % text[:40]) from None
    stored = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    if not _exists(number, stored):
        raise InvalidPhone(_("“%s” is not a telephone number: too few or too many digits.") % text[:40])
    if extension and is_mobile(stored):
        raise InvalidPhone(_("“%s”: a mobile number has no extension.") % text[:40])
    return f"{stored};ext={extension[1]}" if extension else stored


def _exists(number: phonenumbers.PhoneNumber, stored: str) -> bool:
    if number.country_code != 886:
        return phonenumbers.is_valid_number(number)
    local = _local(stored)
    if MOBILE.fullmatch(local) or OTHER.fullmatch(local):
        return True
    code = _area_code(local)
    return code is not None and len(local) - len(code) in AREA_LENGTHS[code]


def _local(stored: str) -> str:
    """The digits as dialled in Taiwan, without extension: `0912345678`."""
    return "0" + stored.partition(";")[0].removeprefix("+886")


def _area_code(local: str) -> str | None:
    return next((code for code in AREA_LENGTHS if local.startswith(code)), None)


def _group(local: str) -> str:
    """The digits in front of the first hyphen."""
    if MOBILE.fullmatch(local) or OTHER.fullmatch(local):
        return local[:3] if local.startswith(("020", "070")) else local[:4]
    return _area_code(local) or local[:4]


def is_mobile(stored: str) -> bool:
    """Whether an SMS can reach a stored number: only 090–098 do."""
    return stored.startswith("+886") and ";" not in stored and bool(MOBILE.fullmatch(_local(stored)))


def display(stored: str) -> str:
    """A stored number as people read it: `0912-345-678`, `02-2930-0016 分機29`."""
    if not stored.startswith("+886"):
        return stored
    local, extension = _local(stored), stored.partition(";ext=")[2]
    code = _group(local)
    rest = local[len(code) :]
    # The last group has four digits (a mobile's three); what is shorter stays in one piece.
    last = 3 if len(code) == 4 and len(rest) == 6 else 4
    shown = f"{code}-{rest[:-last]}-{rest[-last:]}" if len(rest) > 6 or last == 3 else f"{code}-{rest}"
    return f"{shown} 分機{extension}" if extension else shown


def mask(stored: str) -> str:
    """A number fit for lists and logs, the middle hidden: `0912-***-678` (Personal Data Protection Act, art. 5)."""
    if not stored:
        return ""
    head, _, tail = display(stored.partition(";")[0]).replace("+886", "0").partition("-")
    return f"{head[:4]}-***-{tail.replace('-', '')[-3:]}" if tail else f"{head[:4]}***{head[-3:]}"
