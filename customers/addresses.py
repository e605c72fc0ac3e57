"""What an address in Taiwan says by itself: its district, and whether two of them are the same."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from customers.districts import DISTRICTS, FORMERLY, Place, spellings
from web.numerals import DIGITS, LETTERS, chinese
from web.text import plain

# Letters of which one stands for the other in the names of places.
SAME_IN_NAMES = str.maketrans("庄恒塩盐双芦峯湾", "莊恆鹽鹽雙蘆峰灣")
PLACES = {written.translate(SAME_IN_NAMES): place for written, place in spellings().items()}
LONGEST_PLACE = max(map(len, PLACES))
NOWHERE = Place("", "")
COUNTIES = {county: county for county in DISTRICTS} | {old: new for new, old in FORMERLY.items()}
# Cities with one street of a name: there an address without district is an address.
ONE_OF_EACH_STREET = {"台北市", "基隆市", "新竹市", "嘉義市"}
# The second 巿 is another character (U+5DFF) that looks the same.
SAME_LETTER = str.maketrans("臺号楼区县巿", "台號樓區縣市")
# `106`, `(242)`, `24257-`; not the number of a lane or a house.
POSTCODE = re.compile(
    r"[(\[〔【]?(?:〒|郵遞區號:?)?(\d{3})(?:[-|]?\d{2,3})?(?!\d)[)\]〕】]?(?![號巷弄樓之街路段鄰]|-\d)[-|]?"
)
POSTCODE_BEHIND_DISTRICT = re.compile(
    r"^(?:[(\[](?:\d{3}|\d{5,6})[)\]]|(?:\d{3}|\d{5,6}))\|?(?=[^\W\d號巷弄樓之街路段鄰][^\W\d]*\d*(?:路|街|大道))"
)
POSTCODE_BEHIND_COUNTY = re.compile(r"^(\w{2}[縣市])[(\[]?\d{3,6}[)\]]?(?=\w{1,3}[區鄉鎮市])")
COUNTRY = re.compile(r"^(?:中華民國)?(?:台灣省?(?!大道)|福建省)?")
# Between two numbers a blank says that they are two: `5號之1 5樓`.
BETWEEN_NUMBERS = re.compile(r"(?<=\d)[\s,，、.。;；]+(?=\d)")
BLANK = re.compile(r"[\s,，、.。;；]+")

NUMERAL = f"[{''.join(LETTERS)}]+"
# Numerals count in front of a unit and behind 之; those inside the name of a street are letters (三民路).
COUNTING = re.compile(rf"({NUMERAL})(?=\s*(?:[段巷弄號樓鄰室之路街Ff-]|大道))|(?<=[之-])({NUMERAL})")
# One of the few sections of a road, or of the roads of a name (光明六路).
SECTION_NUMERALS = "一二三四五六七八九"
SECTION = re.compile(rf"(?<!\d)[1-9{SECTION_NUMERALS}](?=[段路街])")
DASH = re.compile(r"(?<=\d)-(?=\d)")
ZHI = re.compile(r"(?<=\d)之(?=\d)")
# What stands in front of a street and adds nothing to it: 里 or 村, and 鄰. Without a street houses are numbered by
# them, and there they count. Without 鄰 the street must have a name of its own behind 里: 中里街 and 三里一街 are
# streets. A settlement (新村) has streets of its own.
NAME = r"[^\W\d路街巷弄號段鄰里村]"
VILLAGE = rf"{NAME}{{1,4}}(?:里|(?<!新)村)"
NEIGHBOURHOOD = re.compile(
    rf"^(?:(?:{VILLAGE})?第?\d+鄰(?=[^\d巷弄號]+\d*(?:路|街|大道))|{VILLAGE}(?={NAME}{{2,}}?\d*(?:路|街|大道)))"
)
# Each is what people write, and how it is compared, in this order.
SPELLINGS = [
    (re.compile(r"(?<!\d)0+(?=\d)"), ""),
    (re.compile(r"(?<=\d)[Ff][Ll]?(?![A-Za-z])"), "樓"),
    (re.compile(r"地下室?(\d+)[樓層]"), r"B\1樓"),
    (re.compile(r"(?<=號)[Bb](\d+)(?![\d樓])"), r"B\1樓"),
    (re.compile(r"\((B?\d+樓)\)"), r"\1"),
    (re.compile(r"(?<=\d)之(?=\d)"), "-"),
    (re.compile(r"號[之-](\d+)(?![\d樓])"), r"-\1號"),
    (re.compile(r"樓之(?=\d)"), "樓-"),
    (re.compile(r"(?<!\d)\||\|(?!\d)"), ""),
]


def district(address: str) -> str:
    """The district, township or city an address begins with, by its present name; empty where there is none.

    `(242)新北市新莊區…`, `台灣省台北縣新莊市…` and `新北 新莊區…` → `新莊區`.
    """
    return _split(address)[1].district


def usual_ways(text: str) -> set[str]:
    """What is to be looked for where part of an address is typed: with 台 and 臺, `二段` and `2段`, 之 and `-`.

    Of half width.
    """
    half_width = unicodedata.normalize("NFKC", text)
    sections = {half_width, SECTION.sub(_in_digits, half_width), SECTION.sub(_in_letters, half_width)}
    dashes = {way for section in sections for way in (DASH.sub("之", section), ZHI.sub("-", section))}
    return {way for dash in dashes for way in (dash.replace("臺", "台"), dash.replace("台", "臺"))}


def _in_digits(found: re.Match[str]) -> str:
    return f"{SECTION_NUMERALS.index(found[0]) + 1}" if found[0] in SECTION_NUMERALS else found[0]


def _in_letters(found: re.Match[str]) -> str:
    return SECTION_NUMERALS[int(found[0]) - 1] if found[0].isdecimal() else found[0]


@lru_cache(maxsize=10_000)
def comparable(address: str) -> str:
    """An address for comparing: equal for two ways to write one, and never for two addresses.

    The postcode, 里 and 鄰 do not count where a street stands behind them; 之 is `-`, numerals are digits.
    """
    postcode, place, rest = _split(address)
    if place.district:
        rest = POSTCODE_BEHIND_DISTRICT.sub("", rest)
    rest = NEIGHBOURHOOD.sub("", rest)
    for written, compared in SPELLINGS:
        rest = written.sub(compared, rest)
    # Without a district many places have a street of the name: there the postcode tells them apart.
    is_known = place.county in ONE_OF_EACH_STREET or (place.county and place.district)
    return f"{'' if is_known else postcode}{place.county}{place.district}{rest}".upper()


def _split(address: str) -> tuple[str, Place, str]:
    """The first three digits of the postcode, the place, and the rest without blanks and with digits."""
    text = COUNTING.sub(_counted, plain(address).translate(SAME_LETTER))
    text = BLANK.sub("", BETWEEN_NUMBERS.sub("|", text))
    postcode = ""
    if code := POSTCODE.match(text):
        postcode, text = code[1], text[code.end() :]
    place, rest = _place(POSTCODE_BEHIND_COUNTY.sub(r"\1", COUNTRY.sub("", text)))
    return postcode, place, rest


def _place(text: str) -> tuple[Place, str]:
    """What `text` begins with, and what stands behind it."""
    for length in range(LONGEST_PLACE, 1, -1):
        if place := PLACES.get(text[:length].translate(SAME_IN_NAMES)):
            return place, text[length:]
    if county := COUNTIES.get(text[:3]):
        # A district of another county is one all the same: 台北市板橋區.
        place, rest = _place(text[3:])
        return Place(county, place.district), rest
    return NOWHERE, text


def _counted(found: re.Match[str]) -> str:
    """The digits of a numeral, apart from digits beside it; what is no number stays."""
    numeral = found[1] or found[2]
    before, behind = found.string[: found.start()][-1:], found.string[found.end() :][:1]
    # As they stand, zeros in front too, where each is one digit.
    digits = "".join(DIGITS.get(letter, letter) for letter in numeral)
    value = digits if digits.isdigit() else chinese(numeral)
    return f"{'|' * before.isdigit()}{numeral if value is None else value}{'|' * behind.isdigit()}"
