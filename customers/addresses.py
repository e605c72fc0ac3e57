"""Addresses in Taiwan: finds the district, and tells whether two spellings mean the same address."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from customers.districts import DISTRICTS, FORMER_COUNTIES, District, districts_by_spelling
from web.numerals import DIGITS, LETTERS, chinese_number
from web.text import normalize_typed

# Characters that people replace by one another in place names: 新庄 and 新莊 are the same place.
SAME_IN_NAMES = str.maketrans("庄恒塩盐双芦峯湾", "莊恆鹽鹽雙蘆峰灣")
PLACES = {written.translate(SAME_IN_NAMES): place for written, place in districts_by_spelling().items()}
MAX_PLACE_LENGTH = max(map(len, PLACES))
NOWHERE = District("", "")
COUNTIES = {county: county for county in DISTRICTS} | {old: new for new, old in FORMER_COUNTIES.items()}
# Cities in which each street name exists once, so that an address needs no district.
ONE_OF_EACH_STREET = {"台北市", "基隆市", "新竹市", "嘉義市"}
# Variants and simplified forms. 巿 (U+5DFF) is another character that looks like 市.
SAME_LETTER = str.maketrans("臺号楼区县巿", "台號樓區縣市")
# A postcode: `106`, `(242)`, `24257-`. Not the number of a lane or a house.
POSTCODE = re.compile(
    r"[(\[〔【]?(?:〒|郵遞區號:?)?(\d{3})(?:[-|]?\d{2,3})?(?!\d)[)\]〕】]?(?![號巷弄樓之街路段鄰]|-\d)[-|]?"
)
POSTCODE_BEHIND_DISTRICT = re.compile(
    r"^(?:[(\[](?:\d{3}|\d{5,6})[)\]]|(?:\d{3}|\d{5,6}))\|?(?=[^\W\d號巷弄樓之街路段鄰][^\W\d]*\d*(?:路|街|大道))"
)
POSTCODE_BEHIND_COUNTY = re.compile(r"^(\w{2}[縣市])[(\[]?\d{3,6}[)\]]?(?=\w{1,3}[區鄉鎮市])")
COUNTRY = re.compile(r"^(?:中華民國)?(?:台灣省?(?!大道)|福建省)?")
# Blanks and punctuation between digits separate two numbers: `5號之1 5樓`.
BETWEEN_NUMBERS = re.compile(r"(?<=\d)[\s,，、.。;；]+(?=\d)")
BLANK = re.compile(r"[\s,，、.。;；]+")

NUMERAL = f"[{''.join(LETTERS)}]+"
# Numerals before a unit or after 之. Numerals inside a street name (三民路) are part of the name.
COUNTING_NUMERAL = re.compile(rf"({NUMERAL})(?=\s*(?:[段巷弄號樓鄰室之路街Ff-]|大道))|(?<=[之-])({NUMERAL})")
# The number of a section of a road, or of one of several roads with the same name (光明六路).
SECTION_NUMERALS = "一二三四五六七八九"
SECTION = re.compile(rf"(?<!\d)[1-9{SECTION_NUMERALS}](?=[段路街])")
DASH = re.compile(r"(?<=\d)-(?=\d)")
ZHI = re.compile(r"(?<=\d)之(?=\d)")
# A village (里, 村) and a neighbourhood (鄰) add nothing to an address with a street, so they are dropped. Without a
# street, houses are numbered within them, so they stay. A 里 without 鄰 is dropped only before a whole street name: in
# 中里街 and 三里一街 it is part of the name. A settlement (新村) stays, because it has streets of its own.
NAME = r"[^\W\d路街巷弄號段鄰里村]"
VILLAGE = rf"{NAME}{{1,4}}(?:里|(?<!新)村)"
NEIGHBOURHOOD = re.compile(
    rf"^(?:(?:{VILLAGE})?第?\d+鄰(?=[^\d巷弄號]+\d*(?:路|街|大道))|{VILLAGE}(?={NAME}{{2,}}?\d*(?:路|街|大道)))"
)
# Replacements that `address_key` applies in this order.
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
    """The present name of the district, township or city at the start of an address; empty if there is none.

    `(242)新北市新莊區…`, `台灣省台北縣新莊市…` and `新北 新莊區…` → `新莊區`.
    """
    return _split(address)[1].district


def search_spellings(text: str) -> set[str]:
    """The half-width spellings under which to search a typed part of an address.

    They combine 台 and 臺, `二段` and `2段`, 之 and `-`.
    """
    half_width = unicodedata.normalize("NFKC", text)
    sections = {half_width, SECTION.sub(_section_digit, half_width), SECTION.sub(_section_numeral, half_width)}
    dashes = {spelling for section in sections for spelling in (DASH.sub("之", section), ZHI.sub("-", section))}
    return {spelling for dash in dashes for spelling in (dash.replace("臺", "台"), dash.replace("台", "臺"))}


def _section_digit(found: re.Match[str]) -> str:
    return f"{SECTION_NUMERALS.index(found[0]) + 1}" if found[0] in SECTION_NUMERALS else found[0]


def _section_numeral(found: re.Match[str]) -> str:
    return SECTION_NUMERALS[int(found[0]) - 1] if found[0].isdecimal() else found[0]


@lru_cache(maxsize=10_000)
def address_key(address: str) -> str:
    """A key for comparing addresses: equal for the usual spellings of one address, different for two addresses.

    It leaves out the postcode if the place is known, and 里 and 鄰 in front of a street. 之 becomes `-`, and numerals
    become digits.
    """
    postcode, place, rest = _split(address)
    if place.district:
        rest = POSTCODE_BEHIND_DISTRICT.sub("", rest)
    rest = NEIGHBOURHOOD.sub("", rest)
    for written, compared in SPELLINGS:
        rest = written.sub(compared, rest)
    # Many places share a street name. Without a district, the postcode tells them apart.
    is_known = place.county in ONE_OF_EACH_STREET or (place.county and place.district)
    return f"{'' if is_known else postcode}{place.county}{place.district}{rest}".upper()


def _split(address: str) -> tuple[str, District, str]:
    """The first three digits of the postcode, the place, and the rest without blanks and with numerals as digits.

    In the rest, `|` separates adjacent numbers: `5號之1|5樓`.
    """
    text = COUNTING_NUMERAL.sub(_numeral_to_digits, normalize_typed(address).translate(SAME_LETTER))
    text = BLANK.sub("", BETWEEN_NUMBERS.sub("|", text))
    postcode = ""
    if code := POSTCODE.match(text):
        postcode, text = code[1], text[code.end() :]
    place, rest = _place(POSTCODE_BEHIND_COUNTY.sub(r"\1", COUNTRY.sub("", text)))
    return postcode, place, rest


def _place(text: str) -> tuple[District, str]:
    """The place at the start of `text` (NOWHERE if none is known), and the rest."""
    for length in range(MAX_PLACE_LENGTH, 1, -1):
        if place := PLACES.get(text[:length].translate(SAME_IN_NAMES)):
            return place, text[length:]
    if county := COUNTIES.get(text[:3]):
        # The district may belong to another county: 台北市板橋區.
        place, rest = _place(text[3:])
        return District(county, place.district), rest
    return NOWHERE, text


def _numeral_to_digits(found: re.Match[str]) -> str:
    """Converts a numeral to digits, separated by `|` from adjacent digits. Leaves an unclear one (一百二) as it is."""
    numeral = found[1] or found[2]
    before, behind = found.string[: found.start()][-1:], found.string[found.end() :][:1]
    # A numeral of digits only is converted digit by digit, which keeps leading zeros.
    digits = "".join(DIGITS.get(letter, letter) for letter in numeral)
    value = digits if digits.isdigit() else chinese_number(numeral)
    return f"{'|' * before.isdigit()}{numeral if value is None else value}{'|' * behind.isdigit()}"
