"""Parses telephone numbers as people in Taiwan write them.

Numbers are stored as E.164 with an RFC 3966 extension (`+886229300016;ext=29`) and shown as `0912-345-678`.
`phonenumbers` parses them. Its data lacks part of the NCC's numbering plan, so AREAS holds the lengths.
"""

from __future__ import annotations

import re
from typing import Any

import phonenumbers
from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext as _

from web.text import normalize_typed

REGION = "TW"
COUNTRY_CODE = 886
# How many characters a typed number may have at most.
MAX_TYPED = 64
# After 04, Changhua (7…, 8…) and nationwide numbers (412…) have seven digits, Taichung eight.
SEVEN_BEHIND_04 = "7|8|405|406|412|449"
# Area code → pattern of the digits after it. Longer codes come first: 037 is Miaoli, not 03 and a number with 7.
AREAS = {
    "0826": r"\d{5}", "0836": r"\d{5}", "037": r"\d{6}", "049": r"\d{7}", "082": r"\d{6}", "089": r"\d{6}",
    "02": r"\d{8}", "04": rf"(?={SEVEN_BEHIND_04})\d{{7}}|(?!{SEVEN_BEHIND_04})\d{{8}}",
    "03": r"\d{7}", "05": r"\d{7}", "06": r"\d{7}", "07": r"\d{7}", "08": r"\d{7}",
}  # fmt: skip
MOBILE = re.compile(r"09[0-8]\d{7}")
FIXED = re.compile("|".join(f"{area}(?:{behind})" for area, behind in AREAS.items()))
OTHER = re.compile(r"0800\d{6}|0809\d{6}|070\d{8}|020\d{7,8}|099\d{7}")
EXTENSION = re.compile(
    r"\s*[(\[]?\s*(?:(?:;ext=|分機|分机|內線|轉|转|ext(?:ension)?\.?|x|#)\s*)+[:.]?\s*(\d{1,6})\s*[)\]]?\s*$",
    re.IGNORECASE,
)
# Letters in a number. `phonenumbers` accepts them, as in 0800-GAS-123. In other numbers they are misread digits: in
# 0912ooo136 each o stands for 0.
DIALLED_LETTERS = re.compile(r"[a-z]{3}|\d[a-z]+\d", re.IGNORECASE)
# Unusual dots between digits.
DOTS = re.compile(r"(?<=\d)\s*[·•・‧∙⋅]\s*(?=\d)")
# Characters between two numbers in one cell.
SEPARATORS = re.compile(r"[/／、,，;；\n或和及&＆|｜]")
# A number that starts with 886 and has at least this many digits has a country code: three digits and at least eight
# more. A spreadsheet that reads `+886…` as a formula drops the +.
MIN_WITH_COUNTRY = 11
# A number without its leading 0, which spreadsheets drop, has an area code if it has at least this many digits.
MIN_WITH_AREA = 9
# Possible numbers of digits of a number without area code.
LENGTHS_WITHOUT_AREA = range(5, MIN_WITH_AREA)
# How many digits a group after a hyphen or blank has at least. A shorter group is the end of a range, or an extension
# without the word 分機. A search needs this many digits too.
MIN_IN_GROUP = 3
PART = re.compile(
    r"(?:(?:tel|phone|mobile|電話|手機|市話|行動(?:電話)?)\.?\s*:?\s*)?[\d\s()\[\]+./~·•・‧-]+", re.IGNORECASE
)
STORED_PHONE = re.compile(r"\+886\d{8,10}(;ext=\d+)?")
# Number of digits at the end that a masked number shows.
DIGITS_SHOWN = 3


class InvalidPhone(ValidationError):
    """The text is not a telephone number. `message` gives the reason in the reader's language."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="invalid_phone")


def split_cell(text: str) -> list[str]:
    """The non-empty texts of the numbers in one cell (`0912-345-678/02-2365-0003`)."""
    parts = [part.strip() for part in SEPARATORS.split(text) if part.strip()]
    return [number for part in parts for number in _split_at_blank(part)]


def _split_at_blank(text: str) -> list[str]:
    """Splits two numbers with only a blank between them. Returns other text unchanged."""
    for gap in re.finditer(r"\s+", text):
        two = [text[: gap.start()], text[gap.end() :]]
        if all(map(_is_number, two)):
            return two
    return [text]


def _is_number(text: str) -> bool:
    try:
        return bool(normalise(text))
    except InvalidPhone:
        return False


def normalise(text: str) -> str:
    """Converts to E.164, with `;ext=` if there is an extension. Raises InvalidPhone.

    A number without area code gets SHOP_AREA_CODE, if that is set and the digits fit.
    """
    typed = normalize_typed(text)
    if len(typed) > MAX_TYPED:
        raise InvalidPhone(_("A telephone number has at most 64 characters. Please shorten it."))
    extension = EXTENSION.search(typed)
    dialled = _with_country(typed[: extension.start()] if extension else typed)
    _check_range(dialled, text)
    stored = _to_e164(dialled, text)
    if extension and is_mobile(stored):
        raise InvalidPhone(_("“%s”: a mobile number cannot have an extension. Please remove it.") % text[:40])
    return f"{stored};ext={extension[1]}" if extension else stored


def search_digits(text: str) -> list[str]:
    """The digits of each typed number or part of one, as stored in the column. Empty if the text is anything else.

    Accepts the usual spellings: `(+886) 912-345`, `tel:0912.345`, `345678`, `0912345678/02-2365-0003`.
    """
    typed = [EXTENSION.sub("", normalize_typed(part)) for part in split_cell(text)]
    found = [_digits(part) for part in typed if PART.fullmatch(part)]
    return found if len(found) == len(typed) and all(found) else []


def _digits(typed: str) -> str:
    """The digits without the leading 0, which is not stored (`0912…` is `+886912…`); empty if they are too few."""
    number = re.sub(r"\D", "", _with_country(typed).removeprefix(f"+{COUNTRY_CODE}"))
    return number.removeprefix("0") if len(number) >= MIN_IN_GROUP else ""


def _with_country(text: str) -> str:
    """The text from its first digit or + on, with + before a country code.

    A leading `00` counts as the prefix for calls abroad.
    """
    number = DOTS.sub(".", re.sub(r"^[^\d+]*", "", text))
    if number.startswith("00"):
        return f"+{number[2:].lstrip()}"
    is_whole = number.startswith(str(COUNTRY_CODE)) and len(re.sub(r"\D", "", number)) >= MIN_WITH_COUNTRY
    return f"+{number}" if is_whole else number


def _check_range(dialled: str, text: str) -> None:
    """Raises InvalidPhone if more digits follow a complete number: `04-7222333-5`, `02-2792-1234~6`."""
    for gap in re.finditer(r"\D+", dialled):
        if re.search(r"\d", dialled[gap.end() :]) and _is_whole(dialled[: gap.start()]):
            raise InvalidPhone(_range_message(text))


def _range_message(text: str) -> str:
    message = _(
        "“%s” is more than one number, or an extension is not marked. Please enter one number; write 分機 "
        "before an extension."
    )
    return message % text[:40]


def _to_e164(dialled: str, text: str) -> str:
    """Converts `dialled`, a number without extension, to E.164. Raises InvalidPhone; its message quotes `text`."""
    try:
        number = phonenumbers.parse(dialled, REGION)
    except phonenumbers.NumberParseException:
        raise InvalidPhone(_("“%s” is not a telephone number. Please check it.") % text[:40]) from None
    if number.extension:  # `phonenumbers` reads `~6` as an extension
        raise InvalidPhone(_range_message(text))
    digits = str(number.national_number)
    if number.country_code == COUNTRY_CODE and DIALLED_LETTERS.search(dialled) and not digits.startswith("80"):
        raise InvalidPhone(_("“%s” is not a telephone number. Please check it.") % text[:40])
    if number.country_code != COUNTRY_CODE:
        exists = phonenumbers.is_valid_number(number)
    else:
        local = f"0{digits}" if dialled.startswith(("+", "0")) else _with_area(dialled, digits, text)
        number.national_number = int(local)
        exists = _exists(local)
    if not exists:
        raise InvalidPhone(
            _("“%s” is not a possible telephone number. Please check its area code and its digits.") % text[:40]
        )
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _with_area(dialled: str, digits: str, text: str) -> str:
    """Adds a missing leading 0 or area code. Returns digits of an impossible length unchanged.

    Raises InvalidPhone if the area is unknown.
    """
    groups = re.findall(r"\d+", dialled)
    lost_zero = f"0{digits}"
    has_area = len(digits) >= MIN_WITH_AREA or (
        # `8-792-1234` has an area code: a number without one never starts with such a short group.
        len(groups) > 1 and f"0{groups[0]}" in AREAS and _exists(lost_zero)
    )
    if has_area and len(groups[-1]) >= MIN_IN_GROUP:
        return lost_zero
    own = settings.SHOP_AREA_CODE
    if own and _is_likely(own + digits):
        return f"{own}{digits}"
    if own and groups == [digits] and _area_code(lost_zero) == own and _exists(lost_zero):
        return lost_zero
    if len(digits) not in LENGTHS_WITHOUT_AREA:
        return digits
    raise InvalidPhone(_("“%s” has no area code. Please add it, as in 02-2365-0003.") % text[:40])


def _is_likely(local: str) -> bool:
    """Whether a number to which we added the area code is plausible, by its length and according to `phonenumbers`."""
    number = phonenumbers.PhoneNumber(country_code=COUNTRY_CODE, national_number=int(local))
    return _exists(local) and phonenumbers.is_valid_number(number)


def _is_whole(text: str) -> bool:
    """Whether this is a complete Taiwanese number with area code."""
    dialled = _with_country(normalize_typed(text))
    digits = re.sub(r"\D", "", dialled)
    if dialled.startswith("+"):
        digits = digits[3:].removeprefix("0") if digits.startswith(str(COUNTRY_CODE)) else ""
    elif not digits.startswith("0") and len(digits) < MIN_WITH_AREA:
        return False
    return _exists(f"0{digits.removeprefix('0')}")


def _exists(local: str) -> bool:
    """Whether Taiwan's numbering plan has such a number, as dialled there."""
    return any(form.fullmatch(local) for form in (MOBILE, OTHER, FIXED))


def _local(stored: str) -> str:
    """A stored number as dialled in Taiwan, without extension: `0912345678`."""
    return "0" + stored.partition(";")[0].removeprefix("+886")


def _area_code(local: str) -> str | None:
    return next((code for code in AREAS if local.startswith(code)), None)


def is_mobile(stored: str) -> bool:
    """Whether an SMS can reach a stored number: only Taiwan's numbers 090–098 are mobiles."""
    return stored.startswith("+886") and ";" not in stored and bool(MOBILE.fullmatch(_local(stored)))


def display(stored: str) -> str:
    """Formats a stored number for people: `0912-345-678`, `02-2930-0016 分機29`. Foreign numbers stay as stored."""
    if not stored.startswith("+886"):
        return stored
    local, extension = _local(stored), stored.partition(";ext=")[2]
    if MOBILE.fullmatch(local) or OTHER.fullmatch(local):
        code = local[:3] if local.startswith(("020", "070")) else local[:4]
    else:
        code = _area_code(local) or local[:4]
    rest = local[len(code) :]
    # The last group has four digits, or three if the code has four and six follow. Short numbers are not split.
    last = 3 if len(code) == 4 and len(rest) == 6 else 4
    shown = f"{code}-{rest[:-last]}-{rest[-last:]}" if len(rest) > 6 or last == 3 else f"{code}-{rest}"
    return f"{shown} 分機{extension}" if extension else shown


def mask(stored: str) -> str:
    """Hides the middle of a number for lists and logs: `0912-***-678` (Personal Data Protection Act, art. 5)."""
    if not stored:
        return ""
    head, _, tail = display(stored.partition(";")[0]).replace("+886", "0").partition("-")
    end = (tail or head).replace("-", "")[-DIGITS_SHOWN:]
    return f"{head[:4]}-***-{end}" if tail else f"{head[:4]}***{end}"


class PhoneText(forms.CharField):
    """The form field of PhoneField: shows a stored number as people write it."""

    def prepare_value(self, value: Any) -> Any:
        return display(value) if STORED_PHONE.fullmatch(value or "") else value

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.prepare_value(initial), data)


class PhoneField(models.CharField):  # type: ignore[type-arg]  # generic in the stubs alone
    """Accepts a telephone number as people write it and stores it normalised."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **({"max_length": 32} | kwargs))

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        return normalise(text) if text else text

    def formfield(self, *args: Any, **kwargs: Any) -> Any:
        # What people type may be longer than the stored number.
        return super().formfield(*args, **({"form_class": PhoneText} | kwargs | {"max_length": MAX_TYPED}))

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """Normalises here too, for code that saves without validation."""
        value = self.to_python(getattr(model_instance, self.attname))
        setattr(model_instance, self.attname, value)
        return value
