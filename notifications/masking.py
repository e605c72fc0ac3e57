"""Recipients fit for lists and logs (Personal Data Protection Act, art. 5)."""

from __future__ import annotations

import re

from customers import phones

# Numbers as people, providers and URLs write them: a Taiwanese mobile or landline in any form, and whatever is E.164 of
# Taiwan. Not the decimals of a figure, nor a part of an id; the letter of an escape (`\n` in JSON) is no part of one.
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
    """`0912-***-678` of a number, `w***@example.org` of an e-mail address."""
    name, at, host = recipient.rpartition("@")
    return f"{name[:1]}***@{host}" if at else phones.mask(recipient)


def mask_numbers(text: str) -> str:
    """A text with every telephone number in it masked."""
    return NUMBER.sub(_masked, text)


def _masked(found: re.Match[str]) -> str:
    digits = re.sub(r"\D", "", re.sub("%2B", "", found[0], flags=re.IGNORECASE))
    return phones.mask("+886" + digits.removeprefix("886").removeprefix("0"))
