"""Order numbers: eight digits that can be read over a telephone, `4821-7736`."""

from __future__ import annotations

import re
import secrets

from web.text import plain


def new_order_number() -> str:
    """Seven random digits and a Luhn check digit, so that one misheard digit names no order at all.

    Random, not counted: no row to lock and nothing for a race to break; the unique column refuses the rare repeat and
    `Order.save()` draws again. Ten million numbers are enough for a company of a few hundred orders a day.
    """
    digits = f"{secrets.randbelow(10_000_000):07d}"
    digits += str(luhn_check_digit(digits))
    return f"{digits[:4]}-{digits[4:]}"


def luhn_check_digit(digits: str) -> int:
    """The digit that makes `digits` + it pass the Luhn check (ISO/IEC 7812-1)."""
    total = sum(sum(divmod(int(digit) * (2 - index % 2), 10)) for index, digit in enumerate(reversed(digits)))
    return -total % 10


def as_typed(text: str) -> str:
    """What a person typed, as it stands in the column: `48217736` and `4821 77` gain their hyphen."""
    typed = plain(text)
    digits = re.sub(r"[\s-]", "", typed)
    return f"{digits[:4]}-{digits[4:]}" if digits.isdigit() and 4 < len(digits) <= 8 else typed


# Characters of a tracking token: 72 random bits, as it goes into an SMS and must not be guessed.
TOKEN_LENGTH = 12


def new_tracking_token() -> str:
    return secrets.token_urlsafe(TOKEN_LENGTH * 3 // 4)
