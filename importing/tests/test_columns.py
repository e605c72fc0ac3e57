from __future__ import annotations

import pytest

from importing.columns import Column, Line, UnreadableSheet, locate

USUAL = ["客戶", "電話", "地址", "商品", "數量", "配送日期"]


def test_columns_are_found_in_any_order_and_by_other_names() -> None:
    layout = locate(Line(1, ["日期", "單號", "姓名", "手機", "送貨地址", "品名", "數量(桶)", "Note "]))
    line = Line(2, ["11/23", "7", "洪小姐", "0912", "大安", "20公斤", "2", "後門"])
    assert {column: layout.text(line, column) for column in Column} == {
        "number": "7", "customer": "洪小姐", "phone": "0912", "address": "大安", "product": "20公斤",
        "quantity": "2", "date": "11/23", "slot": "", "priority": "", "notes": "後門",
    }  # fmt: skip


def test_missing_columns_are_named_at_once() -> None:
    with pytest.raises(UnreadableSheet, match="電話、數量.*客戶、地址"):
        locate(Line(1, ["客戶", "地址", "商品", "日期"]))


def test_two_columns_of_one_meaning_are_refused() -> None:
    with pytest.raises(UnreadableSheet, match="地址"):
        locate(Line(1, [*USUAL, "送貨地址"]))


def test_two_telephone_columns_are_one_cell() -> None:
    layout = locate(Line(1, [*USUAL, "手機"]))
    line = Line(2, ["", "02-2365-0003", "", "", "", "", "0912-345-678"])
    assert layout.text(line, Column.PHONE) == "02-2365-0003/0912-345-678"
    assert layout.title(Column.PHONE) == "電話/手機"


def test_unknown_headings_are_kept_to_be_named() -> None:
    assert locate(Line(1, [*USUAL, "業務員", ""])).unused == ["業務員"]


def test_short_row_has_empty_cells() -> None:
    assert locate(Line(1, USUAL)).text(Line(2, ["洪小姐"]), Column.DATE) == ""


def test_cells_beyond_the_headings_are_seen() -> None:
    layout = locate(Line(1, USUAL))
    assert layout.beyond(Line(2, ["", "", "", "", "", "", "", " x"])) == "x"
    assert layout.beyond(Line(2, ["a"] * 6 + [" "])) == ""
