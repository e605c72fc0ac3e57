from __future__ import annotations

from datetime import date

import pytest
from django.utils import translation

from importing import cells
from importing.cells import CellError
from importing.columns import Column, SheetLine, UnreadableSheet, locate_columns
from importing.dates import parse_date


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("1", 1), ("２", 2), (" 3 ", 3), ("+4", 4), ("2.0", 2), ("999", 999), ("3桶", 3), ("2 支", 2),
        ("兩", 2), ("两桶", 2), ("一", 1), ("十", 10), ("十二", 12), ("二十", 20), ("九十九", 99),
    ],
)  # fmt: skip
def test_quantity_is_parsed(text: str, count: int) -> None:
    assert cells.parse_quantity(text) == count


@pytest.mark.parametrize(
    "text",
    ["", "0", "-1", "－１", "1.5", "1000", "99999999999999999999", "零", "半", "1e3", "nan", "2+1", "2桶桶"],
)
def test_invalid_quantity_is_refused(text: str) -> None:
    with pytest.raises(CellError):
        cells.parse_quantity(text)


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
    assert cells.parse_phones(text) == phones


@pytest.mark.parametrize(
    "text", ["請打家裡", "09000000", "0912345678/請打家裡", "0912345678/0912345679/0912345670", "0" * 501]
)
def test_invalid_telephones_are_refused(text: str) -> None:
    with pytest.raises(CellError):
        cells.parse_phones(text)


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
def test_slot_is_parsed(text: str, slot: str) -> None:
    assert cells.parse_slot(text) == slot


@pytest.mark.parametrize(
    "text",
    ["09:00-11:00", "9", "2點", "00:00", "12:30", "17:30", "上午14:00", "25:00", "9:99", "1.5", "9:00-",
    "2026-11-23 09:00"],
)  # fmt: skip
def test_unknown_slot_error_lists_known_slots(text: str) -> None:
    with pytest.raises(CellError, match="上午"):
        cells.parse_slot(text)


@pytest.mark.parametrize(
    ("text", "priority"), [("", "normal"), ("一般", "normal"), ("急件", "urgent"), ("Urgent", "urgent")]
)
def test_priority_is_parsed(text: str, priority: str) -> None:
    assert cells.parse_priority(text) == priority


def test_unknown_priority_error_lists_known_priorities() -> None:
    with pytest.raises(CellError, match="急件"):
        cells.parse_priority("很急很急")


@pytest.mark.parametrize(("text", "number"), [("", ""), ("００７", "7"), ("7", "7"), ("000", "0"), (" A-07 ", "A-07")])
def test_number_ignores_leading_zeros(text: str, number: str) -> None:
    assert cells.parse_number(text) == number


def test_too_long_number_is_refused() -> None:
    with pytest.raises(CellError, match="40"):
        cells.parse_number("x" * 41)


def test_free_text_keeps_characters_and_joins_spaces() -> None:
    assert cells.free_text(" 瓦斯沒了，\n 急 ") == "瓦斯沒了， 急"


@pytest.mark.parametrize(
    "parse", [cells.parse_number, cells.free_text, cells.parse_quantity, cells.parse_slot, cells.parse_priority]
)
def test_too_long_cell_is_refused(parse: object) -> None:
    with pytest.raises(CellError):
        parse("1" * 501)  # type: ignore[operator]


TODAY = date(2026, 11, 21)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23", "2026/11/23", "2026.11.23", "20261123", "2026年11月23日",
        "2026/11/23 00:00", "2026-11-23 0:00:00", "2026-11-23T00:00:00",
        "115/11/23", "115.11.23", "1151123", "115年11月23日", "民國115年11月23日",
        "中華民國 115 年 11 月 23 日",
        "１１５／１１／２３", "２０２６－１１－２３",
        "46349", "46349.0", "20261123.0", "1151123.0", "'2026-11-23", "2026/11/23 上午 12:00:00",
        "2026/11/23上午12:00", "2026/11/23 12:00:00 AM", "2026年11月23日 00:00", "115年11月23日 星期一 上午 12:00:00",
        "2026-11-23 00:00:00.000", "2026-11-23T00:00:00+08:00", "2026-11-23T00:00:00.000+0800", "2026-11-23 00:00 +08",
        "2026-11-22T16:00:00.000Z", "2026-11-23T00:00:00Z", "2026-11-24T00:59:59+09:00",
        "23-Nov-26", "23-Nov", "23 November 2026", "23-十一月-26", "十一月二十三日", "二〇二六年十一月二十三日",
        "民國一百一十五年十一月二十三日",
        "11/23", "11月23日", "11-23", "2026/11/23(一)", "115年11月23日 星期一", " 2026 - 11 - 23 ",
    ],
)  # fmt: skip
def test_date_is_parsed(text: str) -> None:
    assert parse_date(text, TODAY) == date(2026, 11, 23)


@pytest.mark.parametrize(
    "text",
    [
        "", "2026-02-30", "2026-13-01", "115/2/29", "2/30", "0/0", "明天", "23/11/2026", "26/11/23",
        "2026-11", "x",
        "2026/11/10:00", "2026-11-23 08:30", "2026-11-23-24", "9" * 501, "٢٠٢٦-١١-٢٣x",
    ],
)  # fmt: skip
def test_invalid_date_is_refused(text: str) -> None:
    with pytest.raises(CellError):
        parse_date(text, TODAY)


@pytest.mark.parametrize("text", ["2062-11-23", "2016/11/23", "15年11月23日", "215/11/23", "2027-11-23"])
def test_date_more_than_a_year_away_is_refused(text: str) -> None:
    with pytest.raises(CellError):
        parse_date(text, TODAY)


def test_date_just_within_a_year_is_parsed() -> None:
    assert parse_date("2027-11-22", TODAY) == date(2027, 11, 22)


@pytest.mark.parametrize(
    ("text", "today", "day"),
    [
        ("1/2", date(2026, 12, 30), date(2027, 1, 2)),
        ("12/30", date(2027, 1, 2), date(2026, 12, 30)),
        ("2/29", date(2027, 3, 1), date(2028, 2, 29)),
    ],
)
def test_date_without_year_is_the_nearest(text: str, today: date, day: date) -> None:
    assert parse_date(text, today) == day


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("12.2", ["2026-12-02", "2026-12-20"]), ("12.1", ["2026-12-01", "2026-12-10"]), ("１１．３",
        ["2026-11-03", "2026-11-30"]),
        ("1.1", ["2027-01-01", "2027-01-10"]),
        ("12/01/2026", ["2026-12-01", "2026-01-12"]), ("1.12.2026", ["2026-12-01", "2026-01-12"]),
        ("1201", ["2026-12-01", "2027-01-12"]),
        ("121", ["2026-12-01", "2027-01-21"]), ("12012026", ["2026-12-01", "2026-01-12"]), ("115121",
        ["2026-12-01", "2026-01-21"]),
        ("12/1/115", ["2026-12-01", "2026-01-12"]), ("13/01/2026", ["2026-01-13"]), ("261201",
        ["2026-12-01"]), ("1231", ["2026-12-31"]),
    ],
)  # fmt: skip
def test_ambiguous_date_error_lists_readings(text: str, days: list[str]) -> None:
    with pytest.raises(CellError) as refused:
        parse_date(text, TODAY)
    assert all(day in str(refused.value) for day in days)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("12.20", date(2026, 12, 20)), ("12.02", date(2026, 12, 2)), ("12.4", date(2026, 12, 4)), ("2.3",
        date(2027, 2, 3)),
        ("12.2(三)", date(2026, 12, 2)), ("12.2日", date(2026, 12, 2)), ("115.12.2", date(2026, 12, 2)),
    ],
)  # fmt: skip
def test_date_with_point_is_parsed_if_no_zero_can_be_missing(text: str, day: date) -> None:
    assert parse_date(text, TODAY) == day


def test_instant_gives_taipei_date() -> None:
    assert parse_date("2026-11-22T15:59:59Z", TODAY) == date(2026, 11, 22)
    assert parse_date("2026-11-24T00:30:00+09:00", TODAY) == date(2026, 11, 23)


@pytest.mark.parametrize("text", ["46349.375", "2026/11/23 下午 02:00:00", "2026-11-23 08:30", "2026/11/23 12:00"])
def test_time_in_date_cell_is_named_in_error(text: str) -> None:
    with translation.override("en"), pytest.raises(CellError, match="contains a time"):
        parse_date(text, TODAY)


USUAL = ["客戶", "電話", "地址", "商品", "數量", "配送日期"]


def test_columns_are_found_in_any_order_and_by_aliases() -> None:
    layout = locate_columns(SheetLine(1, ["日期", "單號", "姓名", "手機", "送貨地址", "品名", "數量(桶)", "Note "]))
    line = SheetLine(2, ["11/23", "7", "洪小姐", "0912", "大安", "20公斤", "2", "後門"])
    assert {column: layout.text(line, column) for column in Column} == {
        "number": "7", "customer": "洪小姐", "phone": "0912", "address": "大安", "product": "20公斤",
        "quantity": "2", "date": "11/23", "slot": "", "priority": "", "notes": "後門",
    }  # fmt: skip


def test_error_lists_all_missing_columns() -> None:
    with pytest.raises(UnreadableSheet, match="電話、數量.*客戶、地址"):
        locate_columns(SheetLine(1, ["客戶", "地址", "商品", "日期"]))


def test_duplicate_columns_are_refused() -> None:
    with pytest.raises(UnreadableSheet, match="地址"):
        locate_columns(SheetLine(1, [*USUAL, "送貨地址"]))


def test_two_telephone_columns_are_joined() -> None:
    layout = locate_columns(SheetLine(1, [*USUAL, "手機"]))
    line = SheetLine(2, ["", "02-2365-0003", "", "", "", "", "0912-345-678"])
    assert layout.text(line, Column.PHONE) == "02-2365-0003/0912-345-678"
    assert layout.title(Column.PHONE) == "電話/手機"


def test_unknown_headings_are_listed() -> None:
    assert locate_columns(SheetLine(1, [*USUAL, "業務員", ""])).unused == ["業務員"]


def test_short_row_has_empty_cells() -> None:
    assert locate_columns(SheetLine(1, USUAL)).text(SheetLine(2, ["洪小姐"]), Column.DATE) == ""


def test_cells_beyond_the_headings_are_found() -> None:
    layout = locate_columns(SheetLine(1, USUAL))
    assert layout.beyond(SheetLine(2, ["", "", "", "", "", "", "", " x"])) == "x"
    assert layout.beyond(SheetLine(2, ["a"] * 6 + [" "])) == ""
