from __future__ import annotations

import pytest

from luckygas.testing.leaks import leaked


@pytest.mark.parametrize(
    "said",
    ["to 0912-345-678 by", "dstaddr=0912345678&", "RM=%2B886912345678", "+886 912 345 678", "PWD=sandbox-password"],
)
def test_whole_numbers_and_secrets_are_found(said: str) -> None:
    assert leaked(f"a line\n{said}\n") == [said]


@pytest.mark.parametrize("said", ["to 0912-***-678 by", "02-2930-0016", "2026-11-22 13:36:08,233", "id 10912345678"])
def test_what_is_neither_is_not(said: str) -> None:
    assert leaked(said) == []
