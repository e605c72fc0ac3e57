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


# Area code and a number of the length that it has there.
AREAS = [
    ("02", "23650003"), ("03", "4550001"), ("03", "5220001"), ("03", "8220001"), ("03", "9220001"), ("037", "320001"),
    ("04", "22220001"), ("04", "7220001"), ("049", "2220001"), ("05", "2220001"), ("05", "5320001"), ("06", "2220001"),
    ("06", "9270001"), ("07", "2220001"), ("08", "7320001"), ("089", "320001"), ("082", "320001"), ("0826", "66001"),
    ("0836", "22001"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "number"), AREAS)
def test_every_area_is_known_however_it_is_written(code: str, number: str) -> None:
    stored = f"+886{code[1:]}{number}"
    ways = ("{0}{1}", "{0}-{1}", "({0}) {1}", "+886-{2}-{1}", "886{2}{1}", "+886 (0){2} {1}", "00886 {2} {1}")
    assert {phones.normalise(way.format(code, number, code[1:])) for way in ways} == {stored}
    assert phones.display(stored).partition("-")[0] == code
    assert phones.mask(stored) == f"{code}-***-{number[-3:]}"
    assert phones.is_mobile(stored) is False


@pytest.mark.parametrize(("code", "number"), AREAS)
def test_a_digit_too_few_or_too_many_is_refused(code: str, number: str) -> None:
    # Taichung has eight and Changhua seven.
    wrong = [number[:-1], f"{number}0"] if code != "04" else ["222000", "222200010"]
    for digits in wrong:
        with pytest.raises(phones.InvalidPhone):
            phones.normalise(f"{code}-{digits}")


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
        ("0800000123", "0800-000-123", "0800-***-123"),
        ("0809012345", "0809-012-345", "0809-***-345"),
        ("07012345678", "070-1234-5678", "070-***-678"),
        ("02012345678", "020-1234-5678", "020-***-678"),
        ("0991234567", "0991-234-567", "0991-***-567"),
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
