"""What stands in the fields of Taiwan's providers: numbers as dialled, local times, amounts of points."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from unicodedata import normalize

from customers import phones

# The halves of the day as .NET and ICU write them for Taiwan, and in English.
MORNING = ("上午", "凌晨", "清晨", "早上", "AM")
AFTERNOON = ("下午", "中午", "傍晚", "晚上", "PM")
# Twelve o'clock of these is no noon, and of which day midnight would be nobody knows.
EVENING = ("傍晚", "晚上")
HALF = "|".join([*MORNING[:-1], *AFTERNOON[:-1], r"[AP]\.?M\.?"])
COMPACT = re.compile(r"(?P<y>[0-9]{4})(?P<m>[0-9]{2})(?P<d>[0-9]{2})(?P<h>[0-9]{2})(?P<min>[0-9]{2})(?P<s>[0-9]{2})?")
WRITTEN = re.compile(
    r"(?P<y>[0-9]{4})\s*[-/.年]\s*(?P<m>[0-9]{1,2})\s*[-/.月]\s*(?P<d>[0-9]{1,2})日?[T\s]*"
    rf"(?P<half>{HALF})?\s*(?P<h>[0-9]{{1,2}}):(?P<min>[0-9]{{1,2}})(?::(?P<s>[0-9]{{1,2}})(?:[.,][0-9]+)?)?"
    rf"\s*(?P<half2>{HALF})?\s*(?P<zone>Z|[+-][0-9]{{2}}:?[0-9]{{2}})?",
    re.IGNORECASE,
)


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
    """A time such as `20261122093000`, `2026/11/22 下午 03:00` or of ISO 8601; Taipei's where there is no zone.

    None: it is no time of this century. .NET says `0001/01/01 00:00:00` where it has no date.
    """
    written = plain(text[:40])
    found = WRITTEN.fullmatch(written)
    if found is None and not any(letter.isalpha() for letter in written):
        found = COMPACT.fullmatch(re.sub("[^0-9]", "", written))
    if found is None:
        return None
    part: dict[str, str] = {"half": "", "half2": "", "zone": ""} | found.groupdict("")
    hour = hour_of_day(int(part["h"]), (part["half"] or part["half2"]).upper().replace(".", ""))
    day, time = f"{part['y']}-{part['m']:0>2}-{part['d']:0>2}", f"{hour:02}:{part['min']:0>2}:{part['s']:0>2}"
    try:
        at = datetime.fromisoformat(f"{day} {time}{(part['zone'] or '+08:00').upper()}")
    except ValueError:
        return None
    return at if 2000 <= at.year < 2100 else None


def hour_of_day(hour: int, half: str) -> int:
    """0 to 23 of what a clock with two halves shows; 99 where it can show no such thing."""
    if not half:
        return hour
    if half in EVENING and hour == 12:
        return 99
    if half in AFTERNOON:
        return hour if 12 <= hour < 24 else hour + 12
    return hour % 12 if hour <= 12 else 99


def plain(text: str) -> str:
    """What a provider wrote, without blanks around it, in the usual width."""
    return "".join(letter for letter in normalize("NFKC", text) if letter.isprintable()).strip()


def code(text: str) -> str:
    """A provider's code, fit to be kept."""
    return plain(text)[:20]


def by_name(said: Mapping[str, str], *names: str) -> list[str]:
    """The values of these parameters, in whatever case the provider writes their names; empty where there is none."""
    folded = {name.strip().casefold(): value.strip() for name, value in said.items()}
    return [folded.get(name.casefold(), "") for name in names]


def amount(text: str) -> Decimal | None:
    """Points, in hundredths at the finest; None where there is no such number."""
    found = re.fullmatch(r"(-?[0-9]{1,9})(\.[0-9]{1,4})?", text.strip())
    return Decimal(found[0]).quantize(Decimal("0.01")) if found else None


def price(text: str) -> Decimal | None:
    """What one message cost: an amount that one message can cost."""
    found = amount(text)
    return found if found is not None and 0 <= found < 10_000 else None
