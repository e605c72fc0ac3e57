"""Recipients fit for lists and logs (Personal Data Protection Act, art. 5)."""

from __future__ import annotations

import re

from orders import phones

# Numbers as people, providers and URLs write them: a Taiwanese mobile in any form, and whatever is E.164 of Taiwan.
NUMBER = re.compile(
    r"(?<![0-9A-Za-z-])(?:(?:\+|%2B)?(?:886[\s-]*0?|0)9[0-9]{2}[\s-]?[0-9]{3}[\s-]?[0-9]{3}|(?:\+|%2B)886[0-9]{8,9})(?![0-9])",
    re.IGNORECASE,
)


def mask(recipient: str) -> str:
    """`0912-***-678` of a number, `w***@example.org` of an e-mail address."""
    name, at, host = recipient.rpartition("@")
    return f"{name[:1]}***@{host}" if at else phones.mask(recipient)


def mask_numbers(text: str) -> str:
    """A text with every telephone number in it masked."""
    return NUMBER.sub(_masked, text)


def _masked(found: re.Match[str]) -> str:
    digits = re.sub(r"\D", "", re.sub("%2B", "", found[0], flags=re.IGNORECASE))
    return phones.mask("+886" + digits.removeprefix("886").removeprefix("0"))
