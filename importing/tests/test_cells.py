from __future__ import annotations

import pytest

from importing import cells
from importing.cells import CellError


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("1", 1), ("２", 2), (" 3 ", 3), ("+4", 4), ("2.0", 2), ("999", 999), ("3桶", 3), ("2 支", 2),
        ("兩", 2), ("两桶", 2), ("一", 1), ("十", 10), ("十二", 12), ("二十", 20), ("九十九", 99),
    ],
)  # fmt: skip
def test_quantity_is_understood(text: str, count: int) -> None:
    assert cells.quantity(text) == count


@pytest.mark.parametrize(
    "text",
    ["", "0", "-1", "－１", "1.5", "1000", "99999999999999999999", "零", "半", "1e3", "nan", "2+1", "2桶桶"],
)
def test_quantity_is_refused(text: str) -> None:
    with pytest.raises(CellError):
        cells.quantity(text)


@pytest.mark.parametrize(
    ("text", "phones"),
    [
        ("", ()),
        ("０９００００００６７", ("+886900000067",)),
        ("0900-000-003/02-2365-0003", ("+886900000003", "+886223650003")),
        ("02-2365-0003、0900-000-003", ("+886900000003", "+886223650003")),
        ("0900000003 / +886 900 000 003", ("+886900000003",)),
        ("(02)29300016 分機29", ("+886229300016;ext=29",)),
    ],
)
def test_telephones_are_normalised_mobile_first(text: str, phones: tuple[str, ...]) -> None:
    assert cells.telephones(text) == phones


@pytest.mark.parametrize(
    "text", ["請打家裡", "09000000", "0912345678/請打家裡", "0912345678/0912345679/0912345670", "0" * 501]
)
def test_telephones_are_refused(text: str) -> None:
    with pytest.raises(CellError):
        cells.telephones(text)


@pytest.mark.parametrize(
    ("text", "slot"),
    [
        ("", "anytime"), ("隨時", "anytime"), ("上午", "morning"), ("08:00-12:00", "morning"),
        ("８：００～１２：００", "morning"),
        ("9:00", "morning"), ("09:00:00", "morning"), ("0.375", "morning"), ("12:00", "morning"),
        ("13:00", "afternoon"),
        ("上午 9:00", "morning"), ("上午9點", "morning"), ("上午十點半", "morning"), ("9時30分", "morning"),
        ("9:00 AM", "morning"),
        ("下午 2:00", "afternoon"), ("下午2點", "afternoon"), ("14:30:00.000", "afternoon"), ("2:00 p.m.", "afternoon"),
        ("中午1點", "afternoon"), ("晚上7點", "evening"), ("1899-12-30 09:00:00", "morning"),
        ("1900/1/0 上午 09:00:00", "morning"),
        ("上午(8:00-12:00)", "morning"), ("上午8點到12點", "morning"), ("下午1:00-5:00", "afternoon"),
        ("1:00 PM - 5:00 PM", "afternoon"),
        ("下午", "afternoon"), ("13:00 – 17:00", "afternoon"), ("晚上", "evening"), ("evening", "evening"),
    ],
)  # fmt: skip
def test_slot_is_understood(text: str, slot: str) -> None:
    assert cells.slot(text) == slot


@pytest.mark.parametrize(
    "text",
    ["09:00-11:00", "9", "2點", "00:00", "12:30", "17:30", "上午14:00", "25:00", "9:99", "1.5", "9:00-",
    "2026-11-23 09:00"],
)  # fmt: skip
def test_slot_that_is_none_is_refused_with_those_that_are(text: str) -> None:
    with pytest.raises(CellError, match="上午"):
        cells.slot(text)


@pytest.mark.parametrize(
    ("text", "priority"), [("", "normal"), ("一般", "normal"), ("急件", "urgent"), ("Urgent", "urgent")]
)
def test_priority_is_understood(text: str, priority: str) -> None:
    assert cells.priority(text) == priority


def test_priority_that_is_none_is_refused_with_those_that_are() -> None:
    with pytest.raises(CellError, match="急件"):
        cells.priority("很急很急")


@pytest.mark.parametrize(("text", "number"), [("", ""), ("００７", "7"), ("7", "7"), ("000", "0"), (" A-07 ", "A-07")])
def test_number_is_the_same_with_and_without_zeros_before_it(text: str, number: str) -> None:
    assert cells.number(text) == number


def test_number_too_long_for_its_column_is_refused() -> None:
    with pytest.raises(CellError, match="40"):
        cells.number("x" * 41)


def test_words_are_tidied_and_stay_as_typed() -> None:
    assert cells.words(" 瓦斯沒了，\n 急 ") == "瓦斯沒了， 急"


@pytest.mark.parametrize("parse", [cells.number, cells.words, cells.quantity, cells.slot, cells.priority])
def test_endless_cell_is_refused(parse: object) -> None:
    with pytest.raises(CellError):
        parse("1" * 501)  # type: ignore[operator]
