from __future__ import annotations

from typing import Any

import pytest
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from customers import phones


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
        ("(+886) 912-345-678", "+886912345678"),
        ("+886 (0)912 345 678", "+886912345678"),
        ("tel:0912345678", "+886912345678"),
        ("TEL: 0912-345-678", "+886912345678"),
        ("tel:+886-2-2365-0003;ext=29", "+886223650003;ext=29"),
        ("電話：0912-345-678", "+886912345678"),
        ("0912\u2011345\u2011678", "+886912345678"),
        ("0912–345—678", "+886912345678"),
        ("0912.345.678", "+886912345678"),
        ("0912·345・678", "+886912345678"),
        ("0800-GAS-123", "+886800427123"),
        ("\u200e0912\u200b345\u00ad678\ufeff", "+886912345678"),
        ("(886) 912 345 678", "+886912345678"),
        ("（０２）２３６５－０００３", "+886223650003"),
        ("912345678", "+886912345678"),
        ("912-345-678", "+886912345678"),
        ("223650003", "+886223650003"),
        ("2-2365-0003", "+886223650003"),
        ("8-792-1234", "+88687921234"),
        ("(02)29300016(分機29)", "+886229300016;ext=29"),
        ("02-29300016 轉分機：29", "+886229300016;ext=29"),
        ("02-29300016 內線29", "+886229300016;ext=29"),
        ("04-412-8178", "+88644128178"),
    ],
)
def test_number_is_normalised(typed: str, stored: str) -> None:
    assert phones.normalise(typed) == stored


# Area codes, each with a number of the right length.
AREAS = [
    ("02", "23650003"), ("03", "4550001"), ("03", "5220001"), ("03", "8220001"), ("03", "9220001"), ("037", "320001"),
    ("04", "22220001"), ("04", "7220001"), ("049", "2220001"), ("05", "2220001"), ("05", "5320001"), ("06", "2220001"),
    ("06", "9270001"), ("07", "2220001"), ("08", "7320001"), ("089", "320001"), ("082", "320001"), ("0826", "66001"),
    ("0836", "22001"),
]  # fmt: skip


@pytest.mark.parametrize(("code", "number"), AREAS)
def test_every_area_code_is_known_in_every_spelling(code: str, number: str) -> None:
    stored = f"+886{code[1:]}{number}"
    ways = ("{0}{1}", "{0}-{1}", "({0}) {1}", "+886-{2}-{1}", "886{2}{1}", "+886 (0){2} {1}", "00886 {2} {1}")
    assert {phones.normalise(way.format(code, number, code[1:])) for way in ways} == {stored}
    assert phones.display(stored).partition("-")[0] == code
    assert phones.mask(stored) == f"{code}-***-{number[-3:]}"
    assert phones.is_mobile(stored) is False


@pytest.mark.parametrize(("code", "number"), AREAS)
def test_wrong_number_of_digits_is_refused(code: str, number: str) -> None:
    # After 04, numbers have eight digits in Taichung and seven in Changhua.
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
def test_invalid_number_is_refused(typed: str) -> None:
    with pytest.raises(phones.InvalidPhone):
        phones.normalise(typed)


@pytest.mark.parametrize(
    "typed", ["8792-1234", "87921234", "2792 1234", "34550001", "792-1234", "7921234", "320001", "８７９２－１２３４"]
)
def test_number_without_area_code_is_refused(typed: str) -> None:
    with pytest.raises(phones.InvalidPhone, match="區碼|area code"):
        phones.normalise(typed)


@pytest.mark.parametrize(
    ("own", "typed", "stored"),
    [
        ("02", "8792-1234", "+886287921234"), ("02", "87921234 分機5", "+886287921234;ext=5"),
        ("04", "2345-6789", "+886423456789"), ("04", "722-2333", "+88647222333"), ("03", "455-0001", "+88634550001"),
        ("08", "792-1234", "+88687921234"), ("037", "320001", "+88637320001"), ("0836", "22345", "+88683622345"),
        # A spreadsheet dropped the zero.
        ("03", "34550001", "+88634550001"), ("08", "87921234", "+88687921234"), ("04", "47222333", "+88647222333"),
        # A complete number stays unchanged.
        ("02", "08-792-1234", "+88687921234"), ("02", "0912-345-678", "+886912345678"),
        ("02", "+886 8 792 1234", "+88687921234"), ("02", "+81 3-1234-5678", "+81312345678"),
        ("02", "8862-3456", "+886288623456"),
    ],
)  # fmt: skip
def test_number_without_area_code_gets_shop_area_code(settings: Any, own: str, typed: str, stored: str) -> None:
    settings.SHOP_AREA_CODE = own
    assert phones.normalise(typed) == stored


@pytest.mark.parametrize(
    ("own", "typed"),
    [
        ("02", "792-1234"), ("02", "34550001-5"), ("02", "8792-1234-5"), ("02", "8792-1234~6"), ("02", "8792-1234/6"),
        ("03", "8792-1234"), ("02", "1792-1234"), ("03", "455-0001-5"),
        ("04", "722-2333-5"), ("04", "2345-678"), ("08", "8792-1234"),
    ],
)  # fmt: skip
def test_digits_that_do_not_fit_shop_area_code_are_refused(settings: Any, own: str, typed: str) -> None:
    settings.SHOP_AREA_CODE = own
    with pytest.raises(phones.InvalidPhone):
        phones.normalise(typed)


@pytest.mark.parametrize("between", ["-", "~", "～", "/", " ", ".", "、", "至", "到", "或", " - ", "–", ",", "*"])
@pytest.mark.parametrize("number", ["04-7222333", "04-722-2333", "02-2792-1234", "0912-345-678", "+886 2 2792 1234"])
def test_range_of_numbers_is_refused(number: str, between: str) -> None:
    for tail in ("5", "35", "2334"):
        with pytest.raises(phones.InvalidPhone, match="分機"):
            phones.normalise(f"{number}{between}{tail}")


@pytest.mark.parametrize(
    "typed",
    [
        "04-2345-678", "04-7222-3335", "0472223335", "04-8222-3335", "2279-1234-5", "2279-1234~56", "0912-345-67",
        "02-2792-123", "04-456-7890", "912-345-67",
        "02-2792-1234 02-2792-1235", "02-2792-1234(0912-345-678)", "0912-345-678x5",
        "0912ooo136", "0912345OOO", "02-2365-OOO3", "0912-34s-678",
    ],
)  # fmt: skip
def test_number_with_missing_or_misread_digits_is_refused(typed: str) -> None:
    with pytest.raises(phones.InvalidPhone):
        phones.normalise(typed)


@given(
    st.sampled_from([f"{code}{number}" for code, number in AREAS] + ["0912345678"]),
    st.sampled_from("-~/ ."), st.integers(0, 9999), st.sampled_from(["", *phones.AREAS]),
)  # fmt: skip
def test_number_with_extra_digits_is_refused(local: str, between: str, more: int, own: str) -> None:
    with override_settings(SHOP_AREA_CODE=own), pytest.raises(phones.InvalidPhone):
        phones.normalise(f"{local}{between}{more}")


@pytest.mark.parametrize(
    ("typed", "parts"),
    [
        ("(+886) 912-345-678", ["912345678"]), ("tel:0912345678", ["912345678"]), ("0912‑345‑678", ["912345678"]),
        ("0912.345.678", ["912345678"]), ("\u200e0912\u200b345678", ["912345678"]), ("00886 912 345", ["912345"]),
        ("+886 (0)912 345", ["912345"]), ("０９１２", ["912"]), ("345-678", ["345678"]), ("678", ["678"]),
        ("電話：02-2365", ["22365"]), ("02-29300016 分機29", ["229300016"]), ("+81 3-1234", ["8131234"]),
        ("0912345678/02-2365-0003", ["912345678", "223650003"]),
        ("0912-345-678 02-2365-0003", ["912345678", "223650003"]),
        ("67", []), ("", []), ("王小明", []), ("信義路4段123號", []), ("+886 9", []), ("()-", []), ("王 678", []),
    ],
)  # fmt: skip
def test_search_digits_are_found_in_every_spelling(typed: str, parts: list[str]) -> None:
    assert phones.search_digits(typed) == parts


@given(st.text(max_size=80))
def test_search_digits_accepts_any_text(text: str) -> None:
    assert all(part.isdigit() for part in phones.search_digits(text))


@given(st.text(max_size=80))
def test_displayed_number_normalises_to_the_stored_one(text: str) -> None:
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
def test_only_mobiles_can_get_sms(typed: str, mobile: bool) -> None:
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
def test_number_is_displayed_and_masked(typed: str, shown: str, masked: str) -> None:
    stored = phones.normalise(typed)
    assert phones.display(stored) == shown
    assert phones.mask(stored) == masked


def test_mask_hides_middle_of_foreign_number() -> None:
    assert "1234" not in phones.mask("+81312345678")


def test_mask_of_empty_text_is_empty() -> None:
    assert phones.mask("") == ""


def test_cell_is_split_into_numbers() -> None:
    assert phones.split_cell("0900-000-003/02-2365-0003") == ["0900-000-003", "02-2365-0003"]
    assert phones.split_cell("0900-000-003、 ") == ["0900-000-003"]
    assert phones.split_cell(" ") == []
    assert phones.split_cell("0912-345-678 02-2365-0003") == ["0912-345-678", "02-2365-0003"]
    assert phones.split_cell("0912 345 678") == ["0912 345 678"]
    assert phones.split_cell("0900000003和02 2365 0003") == ["0900000003", "02 2365 0003"]
