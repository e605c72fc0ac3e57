"""Reads Chinese numerals in addresses and imported sheets."""

from __future__ import annotations

import re

DIGITS = dict(zip("零〇○一二兩两三四五六七八九壹貳參叁肆伍陸柒捌玖ㄧ", "0001222345678912334567891", strict=True))
TENS = {"十": "十", "拾": "十", "百": "百", "佰": "百", "廿": "2十", "卅": "3十"}
LETTERS = DIGITS | TENS
# Matches numerals after LETTERS has replaced their characters: `2`, `1百1十5`, `1百05`, `2十3`.
COUNT = re.compile(r"(?:([1-9])百)?(0?)(?:([1-9]?)(十))?([1-9]?)")


def chinese_number(text: str) -> int | None:
    """The value of a Chinese numeral from 0 to 999. None for other texts and if ambiguous: 一百二 means 102 or 120."""
    count = COUNT.fullmatch("".join(LETTERS.get(letter, "?") for letter in text))
    if not text or count is None or (count[1] and count[5] and not (count[2] or count[4])):
        return None
    tens = int(count[3] or 1) if count[4] else 0
    return int(count[1] or 0) * 100 + tens * 10 + int(count[5] or 0)


def to_digits(numeral: str) -> str:
    """`12` for `十二`. A text that `chinese_number` cannot read is converted digit by digit: `2026` for `二〇二六`."""
    number = chinese_number(numeral)
    return "".join(DIGITS.get(letter, letter) for letter in numeral) if number is None else str(number)
