"""What stands in the fields of Taiwan's providers: numbers as dialled, local times, amounts of points."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal

from orders import phones


def local(phone: str) -> str:
    """E.164 as dialled in Taiwan: `0912345678`."""
    return "0" + phone.removeprefix("+886")


def international(text: str) -> str:
    """E.164 of a provider's number; empty where it is none."""
    try:
        return phones.normalise(text)
    except phones.InvalidPhone:
        return ""


def moment(text: str) -> datetime | None:
    """Taipei's time out of `20261122093000` or `2026/11/22 09:30:00`; None where it is none of this century's.

    .NET says `0001/01/01 00:00:00` where it has no date.
    """
    digits = re.sub("[^0-9]", "", text[:40])
    try:
        found = datetime.strptime(f"{digits:0>14}+0800", "%Y%m%d%H%M%S%z")
    except ValueError:
        return None
    return found if 2000 <= found.year < 2100 else None


def amount(text: str) -> Decimal | None:
    """Points, in hundredths at the finest; None where there is no such number."""
    found = re.fullmatch(r"(-?[0-9]{1,9})(\.[0-9]{1,4})?", text.strip())
    return Decimal(found[0]).quantize(Decimal("0.01")) if found else None


def price(text: str) -> Decimal | None:
    """What one message cost: an amount that one message can cost."""
    found = amount(text)
    return found if found is not None and 0 <= found < 10_000 else None
