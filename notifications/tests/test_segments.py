from __future__ import annotations

import pytest

from notifications import carrier_rules


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("瓦" * 70, 1),
        ("瓦" * 71, 2),
        ("瓦" * 134, 2),
        ("瓦" * 135, 3),
        ("瓦" * 201, 3),
        ("瓦" + "a" * 69, 1),
        ("瓦" + "a" * 70, 2),
        ("🔥" * 35, 1),
        ("🔥" * 36, 2),
    ],
)
def test_count(text: str, expected: int) -> None:
    assert carrier_rules.segments(text) == expected


def test_an_escaped_character_is_not_cut_in_two() -> None:
    # 152 + 2 do not fit into the first part of 153; nor 152 + 2 into the second.
    assert carrier_rules.segments(("a" * 152 + "€") + ("a" * 150 + "€") + "a") == 3


def test_an_emoji_is_not_cut_in_two() -> None:
    # 67 units hold 33 emoji, and one unit stays empty.
    assert carrier_rules.segments("🔥" * 66) == 2
    assert carrier_rules.segments("🔥" * 67) == 3
