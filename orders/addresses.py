"""What an address in Taiwan says by itself."""

from __future__ import annotations

import re
import unicodedata

DISTRICT = re.compile(r"^(?:\d{3,6})?\s*\w{2}[縣市](\w{1,3}?[區鄉鎮市])")


def district(address: str) -> str:
    """The district, township or city an address begins with (`台北市大安區…` → `大安區`); empty where there is none."""
    match = DISTRICT.match(address.strip())
    return match[1] if match else ""


def comparable(address: str) -> str:
    """An address for comparing: 臺 and 台, full and half width, spaces and `F` for 樓 are the same."""
    plain = unicodedata.normalize("NFKC", address).replace("臺", "台")
    return re.sub(r"(?<=\d)[Ff](?![a-z])", "樓", re.sub(r"[\s,，]", "", plain))
