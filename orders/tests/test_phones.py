from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders import phones


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("0912-345-678", "+886912345678"),
        ("0912345678", "+886912345678"),
        ("０９１２３４５６７８", "+886912345678"),
        (" (0912) 345 678 ", "+886912345678"),
        ("+886 912 345 678", "+886912345678"),
        ("+8860912345678", "+886912345678"),
        ("886912345678", "+886912345678"),
        ("00886912345678", "+886912345678"),
        ("02-2365-0003", "+886223650003"),
        ("(02)29300016 分機29", "+886229300016;ext=29"),
        ("02-29300016轉29", "+886229300016;ext=29"),
        ("02 2930 0016 ext. 29", "+886229300016;ext=29"),
        ("02-29300016#29", "+886229300016;ext=29"),
        ("03-455-0001", "+88634550001"),
        ("04-2345-6789", "+886423456789"),
        ("04-723-4567", "+88647234567"),
        ("049-2345678", "+886492345678"),
        ("037-123456", "+88637123456"),
        ("082-123456", "+88682123456"),
        ("089-123456", "+88689123456"),
        ("0826-12345", "+88682612345"),
        ("0836-22345", "+88683622345"),
        ("0800-000-123", "+886800000123"),
        ("+81 3-1234-5678", "+81312345678"),
    ],
)
def test_normalise(typed: str, stored: str) -> None:
    assert phones.normalise(typed) == stored


@pytest.mark.parametrize(
    "typed",
    [
        "", "請打家裡", "09000000", "0912-345-6789", "02-2365-003", "02-2365-00033", "037-1234567", "049-123456",
        "0912-345-678 分機5", "1", "+886", "0" * 200, "0912\x00345678", "+999123456789",
    ],
)  # fmt: skip
def test_normalise_refuses(typed: str) -> None:
    with pytest.raises(phones.InvalidPhone):
        phones.normalise(typed)


@given(st.text(max_size=80))
def test_normalise_never_breaks_and_is_stable(text: str) -> None:
    try:
        stored = phones.normalise(text)
    except phones.InvalidPhone:
        return
    assert phones.normalise(phones.display(stored)) == stored
    assert len(stored) <= 32


@pytest.mark.parametrize(
    ("typed", "mobile"),
    [
        ("0900-000-000", True), ("0985-123-456", True), ("02-2365-0003", False), ("(02)29300016 分機29", False),
        ("0800-000-123", False), ("+81 90-1234-5678", False), ("070-1234-5678", False),
    ],
)  # fmt: skip
def test_only_mobiles_get_an_sms(typed: str, mobile: bool) -> None:
    assert phones.is_mobile(phones.normalise(typed)) is mobile


@pytest.mark.parametrize(
    ("typed", "shown", "masked"),
    [
        ("0912345678", "0912-345-678", "0912-***-678"),
        ("0223650003", "02-2365-0003", "02-***-003"),
        ("034550001", "03-455-0001", "03-***-001"),
        ("037123456", "037-123456", "037-***-456"),
        ("082612345", "0826-12345", "0826-***-345"),
        ("02-29300016 分機29", "02-2930-0016 分機29", "02-***-016"),
    ],
)
def test_shown_and_masked(typed: str, shown: str, masked: str) -> None:
    stored = phones.normalise(typed)
    assert phones.display(stored) == shown
    assert phones.mask(stored) == masked


def test_a_masked_foreign_number_hides_its_middle() -> None:
    assert "1234" not in phones.mask("+81312345678")


def test_mask_of_nothing_is_nothing() -> None:
    assert phones.mask("") == ""


def test_split_cell() -> None:
    assert phones.split_cell("0900-000-003/02-2365-0003") == ["0900-000-003", "02-2365-0003"]
    assert phones.split_cell("0900-000-003、 ") == ["0900-000-003"]
    assert phones.split_cell(" ") == []
