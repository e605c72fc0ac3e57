"""Order numbers, eight digits that can be read over a telephone (`4821-7736`), and tracking tokens."""

from __future__ import annotations

import re
import secrets

from web.text import normalize_typed


def new_order_number() -> str:
    """Seven random digits and a Luhn check digit: a number with one misheard digit belongs to no order.

    A counter would need a lock. The unique column rejects a repeated number and `Order.save()` draws again. Ten
    million numbers are enough for a few hundred orders a day.
    """
    digits = f"{secrets.randbelow(10_000_000):07d}"
    digits += str(luhn_check_digit(digits))
    return f"{digits[:4]}-{digits[4:]}"


def luhn_check_digit(digits: str) -> int:
    """The digit to append to `digits` so that the whole passes the Luhn check (ISO/IEC 7812-1)."""
    total = sum(sum(divmod(int(digit) * (2 - index % 2), 10)) for index, digit in enumerate(reversed(digits)))
    return -total % 10


def normalise_order_number(text: str) -> str:
    """Converts what a person typed to the form of the column: `48217736` and `4821 77` get their hyphen.

    Other text gets only the changes of `normalize_typed`, such as half-width characters.
    """
    typed = normalize_typed(text)
    digits = re.sub(r"[\s-]", "", typed)
    return f"{digits[:4]}-{digits[4:]}" if digits.isdigit() and 4 < len(digits) <= 8 else typed


# Characters of a tracking token. It is short enough for an SMS, and nobody can guess its 72 random bits.
TOKEN_LENGTH = 12


def new_tracking_token() -> str:
    return secrets.token_urlsafe(TOKEN_LENGTH * 3 // 4)
