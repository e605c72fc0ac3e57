"""Masks recipients for lists and logs (Personal Data Protection Act, art. 5)."""

from __future__ import annotations

import re

from customers import phones

# Matches Taiwanese mobile and landline numbers as people, providers and URLs write them, and E.164 of Taiwan.
# Skips decimals and parts of ids. Finds a number directly after an escape (`\n` in JSON).
NUMBER = re.compile(
    r"""(?: (?<![0-9A-Za-z-]) (?<![0-9]\.) | (?<=\\[bfnrt]) )
    (?: (?:\+|%2B)? (?:886[\s.-]*0?|0) 9[0-9]{2} [\s.-]?[0-9]{3} [\s.-]?[0-9]{3}
      | (?: (?:\+|%2B)886[\s.-]*0? | \(?0 )
        (?: [2-8]\)? [\s.-]?[0-9]{3,4} [\s.-]?[0-9]{4}
        | (?:37|49|8[29])\)? [\s.-]?[0-9]{3} [\s.-]?[0-9]{3,4}
        | (?:37|8[29])\)? [\s.-]?[0-9]{2} [\s.-]?[0-9]{4}
        | 8[23]6\)? [\s.-]?[0-9]{2} [\s.-]?[0-9]{3}
        | 70\)? [\s.-]?[0-9]{4} [\s.-]?[0-9]{4} ) (?![a-f])
      | (?:\+|%2B)886[0-9]{8,9}
    ) (?![0-9])""",
    re.IGNORECASE | re.VERBOSE,
)


def mask(recipient: str) -> str:
    """Returns `0912-***-678` for a number, `w***@example.org` for an e-mail address."""
    name, at, host = recipient.rpartition("@")
    return f"{name[:1]}***@{host}" if at else phones.mask(recipient)


def mask_numbers(text: str) -> str:
    """Masks every Taiwanese telephone number in a text."""
    return NUMBER.sub(_mask_match, text)


def _mask_match(found: re.Match[str]) -> str:
    digits = re.sub(r"\D", "", re.sub("%2B", "", found[0], flags=re.IGNORECASE))
    return phones.mask("+886" + digits.removeprefix("886").removeprefix("0"))
