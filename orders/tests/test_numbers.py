from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders import numbers


def test_a_number_can_be_read_over_the_telephone() -> None:
    assert re.fullmatch(r"\d{4}-\d{4}", numbers.new_order_number())


def test_luhn_example_of_the_standard() -> None:
    assert numbers.luhn_check_digit("7992739871") == 3


@given(st.from_regex(r"\d{7}", fullmatch=True), st.integers(0, 7), st.integers(1, 9))
def test_one_misheard_digit_is_another_check_digit(digits: str, place: int, off: int) -> None:
    number = digits + str(numbers.luhn_check_digit(digits))
    heard = [*number]
    heard[place] = str((int(heard[place]) + off) % 10)
    assert numbers.luhn_check_digit("".join(heard[:7])) != int(heard[7])


@pytest.mark.parametrize(
    ("typed", "column"),
    [
        ("48217736", "4821-7736"),
        ("４８２１７７３６", "4821-7736"),
        ("７７３６", "7736"),
        ("4821 77", "4821-77"),
        ("4821-7736", "4821-7736"),
        ("7736", "7736"),
        ("王", "王"),
    ],
)
def test_as_typed(typed: str, column: str) -> None:
    assert numbers.as_typed(typed) == column


def test_a_tracking_token_is_short_and_hard_to_guess() -> None:
    tokens = {numbers.new_tracking_token() for _ in range(100)}
    assert len(tokens) == 100
    assert {len(token) for token in tokens} == {12}
