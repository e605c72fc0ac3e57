"""What Taiwan's providers share: form requests, and parsing of telephone numbers, times, codes and amounts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from unicodedata import normalize
from urllib.parse import urlencode

from django.conf import settings

from customers import phones
from notifications.gateways.base import Gateway, GatewayError, GatewayHealth, Receipt
from notifications.gateways.http import exchange, status_reason
from notifications.states import MessageStatus, Reason

StatusCodes = Mapping[str, tuple[MessageStatus, str]]
Refusals = Mapping[str, tuple[Reason, Any]]
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
# The halves of the day as .NET and ICU write them for Taiwan, and in English.
MORNING = ("上午", "凌晨", "清晨", "早上", "AM")
AFTERNOON = ("下午", "中午", "傍晚", "晚上", "PM")
# Twelve o'clock in the evening is ambiguous: it is midnight, which could belong to either day.
EVENING = ("傍晚", "晚上")
HALF = "|".join([*MORNING[:-1], *AFTERNOON[:-1], r"[AP]\.?M\.?"])
COMPACT = re.compile(r"(?P<y>[0-9]{4})(?P<m>[0-9]{2})(?P<d>[0-9]{2})(?P<h>[0-9]{2})(?P<min>[0-9]{2})(?P<s>[0-9]{2})?")
WRITTEN = re.compile(
    r"(?P<y>[0-9]{4})\s*[-/.年]\s*(?P<m>[0-9]{1,2})\s*[-/.月]\s*(?P<d>[0-9]{1,2})日?[T\s]*"
    rf"(?P<half>{HALF})?\s*(?P<h>[0-9]{{1,2}}):(?P<min>[0-9]{{1,2}})(?::(?P<s>[0-9]{{1,2}})(?:[.,][0-9]+)?)?"
    rf"\s*(?P<half2>{HALF})?\s*(?P<zone>Z|[+-][0-9]{{2}}:?[0-9]{{2}})?",
    re.IGNORECASE,
)


def to_local(phone: str) -> str:
    """Converts E.164 to the form dialled in Taiwan: `0912345678`."""
    return "0" + phone.removeprefix("+886")


def to_international(text: str) -> str:
    """Converts a provider's number to E.164; empty if it is not a number."""
    try:
        return phones.normalise(text)
    except phones.InvalidPhone:
        return ""


def parse_time(text: str) -> datetime | None:
    """Parses `20261122093000`, `2026/11/22 下午 03:00` or ISO 8601, in Taipei's time unless a zone is given.

    Returns None for anything but a time of this century; .NET writes `0001/01/01 00:00:00` for no date.
    """
    written = normalise(text[:40])
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
    """Converts an hour with its half of the day to 0–23; an invalid one gives a number above 23.

    Without `half` the hour is returned unchanged.
    """
    if not half:
        return hour
    if half in EVENING and hour == 12:
        return 99
    if half in AFTERNOON:
        return hour if 12 <= hour < 24 else hour + 12
    return hour % 12 if hour <= 12 else 99


def normalise(text: str) -> str:
    """Removes control characters and outer blanks, and converts full width to half width."""
    return "".join(letter for letter in normalize("NFKC", text) if letter.isprintable()).strip()


def code(text: str) -> str:
    """Normalises a provider's code for storage: at most 20 characters."""
    return normalise(text)[:20]


def parameters_by_name(parameters: Mapping[str, str], *names: str) -> list[str]:
    """Returns the values of the parameters with these names, in any case; an empty text for a missing one."""
    folded = {name.strip().casefold(): value.strip() for name, value in parameters.items()}
    return [folded.get(name.casefold(), "") for name in names]


def amount(text: str) -> Decimal | None:
    """Parses points, rounded to hundredths; None if it is not a number."""
    found = re.fullmatch(r"(-?[0-9]{1,9})(\.[0-9]{1,4})?", text.strip())
    return Decimal(found[0]).quantize(Decimal("0.01")) if found else None


def price(text: str) -> Decimal | None:
    """Parses the price of one message in points; None if it is implausible."""
    found = amount(text)
    return found if found is not None and 0 <= found < 10_000 else None


# --- the gateway ---


def unclear_answer(body: str, raw_status: str = "") -> GatewayError:
    """Returns the error for an answer that is neither success nor refusal: the message may have been sent."""
    text = f"The provider's response has an unknown form: “{body[:100]}”."
    return GatewayError(text, reason=Reason.NO_ANSWER, raw_status=raw_status)


def refusal(code: str, detail: str, known: Refusals) -> GatewayError:
    """Returns the error for an error code. `known`: the meanings of codes; `detail`: the provider's own text."""
    reason, ours = known.get(code, (Reason.UNKNOWN_CODE, Reason.UNKNOWN_CODE.label))
    text = f"{code}: {ours} ({detail})" if detail else f"{code}: {ours}"
    return GatewayError(text, reason=reason, permanent=True, raw_status=code)


def receipt_of(known: StatusCodes, provider_id: str, phone: str, code: str, at: str) -> Receipt:
    """Makes a receipt from a provider's `code`. `known`: the meanings of codes; `at`: the provider's time as text."""
    status, reason = known.get(code, (None, Reason.UNKNOWN_CODE))
    return Receipt(provider_id, phone, status, reason, raw_status=code, at=parse_time(at))


class FormGateway(Gateway):
    """A provider that gets forms and answers 200 also when it refuses one. The body tells success from error."""

    def __init__(self, url: str, **account: str) -> None:
        """`account`: user name and password under the provider's field names; each form contains them."""
        self.url, self.account, self.secrets = url.rstrip("/") + "/", account, tuple(account.values())

    def post_form(self, path: str, fields: dict[str, str], seconds: float = 0) -> str:
        """Posts a form and returns the whole body. `seconds`: the timeout, by default SMS_TIMEOUT_SECONDS.

        Raises GatewayError.
        """
        seconds = seconds or settings.SMS_TIMEOUT_SECONDS
        form = urlencode(self.account | fields).encode()
        answer = exchange("POST", self.url + path, FORM, form, seconds=seconds)
        if answer.status != 200:
            code = f"HTTP {answer.status}"
            raise GatewayError(f"{code}: {answer.body}", reason=status_reason(answer.status), raw_status=code)
        if not answer.whole:
            raise unclear_answer(answer.body)
        return answer.body

    def health(self) -> GatewayHealth:
        try:
            return GatewayHealth(reachable=True, balance=self.balance())
        except GatewayError as error:
            return GatewayHealth(reachable=False, detail=self.clean(str(error), ""))
