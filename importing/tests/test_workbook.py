"""Workbooks are read as the sheets they are, and a bad one harms nobody."""

from __future__ import annotations

import csv
import io
from datetime import date, time
from typing import Any

import openpyxl
import pytest
from django.utils import translation
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from importing.columns import UnreadableSheet
from importing.importer import import_orders
from importing.sheet import read
from importing.tests.sheets import HEADING, HOME, make_20kg
from importing.tests.workbooks import MAKERS, Rows, make_raw_xlsx, make_xlsx, make_zip, saved
from orders.models import Order

TITLES = HEADING.split(",")


def as_csv(rows: Rows) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


@pytest.mark.long
@pytest.mark.django_db
def test_a_sheet_of_400_rows_is_imported_like_its_csv_twin() -> None:
    make_20kg()
    plain: list[list[str]] = [TITLES]
    typed: list[list[Any]] = [["幸福氣 訂單"], [], [f"\ufeff{title}\u200b" for title in TITLES]]
    for n in range(1, 401):
        address = f"台北市大安區信義路四段{(n + 1) // 2}號"
        plain.append([str(n), f"客{n}", f"0912{n:06d}", address, "20公斤", "2", "2026-11-23", "上午", "", ""])
        # As a spreadsheet keeps it: a number without its zero, a day as a number, one cell for two rows.
        once = address if n % 2 else None
        typed.append(
            [n, f"客\u200e{n}\u200b", 912000000 + n, once, "20公斤", 2, date(2026, 11, 23), time(9), None, None]
        )
    typed.append(["合計", None, None, None, None, 800])
    merged = [f"D{first}:D{first + 1}" for first in range(4, 404, 2)]
    report = import_orders(make_xlsx(typed, "A1:J1", *merged))
    assert (len(report.created), report.problems, report.rows) == (400, [], 400)
    assert [(note.row, note.text) for note in report.notes] == [(1, "幸福氣 訂單"), (404, "合計 800")]
    twin = import_orders(as_csv(plain))
    assert (len(twin.known), twin.created, twin.problems) == (400, [], [])
    assert Order.objects.filter(scheduled_date=date(2026, 11, 23), time_slot="morning").count() == 400


@pytest.mark.django_db
@pytest.mark.parametrize("kind", MAKERS)
def test_each_kind_of_workbook_is_understood(kind: str) -> None:
    make_20kg()
    day, hour = date(2026, 11, 23), time(14)
    rows: Rows = [TITLES, [7, "洪小姐", 912345678, HOME, "20公斤", 2.0, day, hour, "急件", "後門\n進"]]
    report = import_orders(MAKERS[kind](rows))
    order = Order.objects.get()
    assert (report.problems, order.scheduled_date, order.time_slot) == ([], day, "afternoon")
    assert (order.customer.phone, order.delivery_address, order.notes) == ("+886912345678", HOME, "後門 進")
    assert order.items.get().quantity == 2
    assert import_orders(MAKERS[kind](rows)).known == [2]


@pytest.mark.parametrize("kind", MAKERS)
def test_rows_are_numbered_as_the_spreadsheet_shows_them(kind: str) -> None:
    rows: Rows = [[None], [None, "客戶", "電話"], [None], [None, "洪小姐", "0912"]]
    got = read(MAKERS[kind](rows))
    assert (got.heading.number, [line.number for line in got.lines]) == (2, [4])
    assert got.lines[0].cells[-2:] == ["洪小姐", "0912"]


def test_numbers_are_read_as_they_are_shown() -> None:
    row = read(make_xlsx([["h"] * 6, [912000136, 12.2, 46357, True, 0.1 + 0.2, 886912345678]])).lines[0]
    assert row.cells == ["912000136", "12.2", "46357", "TRUE", "0.3", "886912345678"]


def test_days_of_either_calendar_are_read() -> None:
    workbook = openpyxl.Workbook()
    workbook.epoch = CALENDAR_MAC_1904
    workbook.worksheets[0].append(["日期"])
    workbook.worksheets[0].append([date(2026, 12, 1)])
    assert read(saved(workbook.save)).lines[0].cells == ["2026-12-01"]


@pytest.mark.parametrize(
    "format_", ["[$-404]e/m/d", '[$-404]gge"年"m"月"d"日"', 'm"月"d"日"', "d-mmm-yy", "yyyy/m/d(aaa)"]
)
def test_a_day_is_a_day_in_every_format(format_: str) -> None:
    workbook = openpyxl.Workbook()
    workbook.worksheets[0]["A1"] = "日期"
    workbook.worksheets[0]["A2"] = 46357
    workbook.worksheets[0]["A2"].number_format = format_
    assert read(saved(workbook.save)).lines[0].cells == ["2026-12-01"]


def test_a_failed_formula_is_no_empty_cell() -> None:
    data = make_raw_xlsx(
        '<row r="1"><c r="A1" t="inlineStr"><is><t>地址</t></is></c></row>'
        '<row r="2"><c r="A2" t="e"><f>VLOOKUP(1,B:C,2,0)</f><v>#N/A</v></c></row>'
    )
    line = read(data).lines[0]
    assert (line.cells, list(line.faults)) == (["#N/A"], [0])


def test_hidden_sheets_are_passed_over_and_the_others_named() -> None:
    workbook = openpyxl.Workbook()
    workbook.worksheets[0].sheet_state = "hidden"
    for name in ("訂單", "價目"):
        workbook.create_sheet(name).append([f"客戶 {name}"])
    got = read(saved(workbook.save))
    assert got.heading.cells == ["客戶 訂單"]
    assert [(note.row, note.text) for note in got.notes] == [(0, "價目")]


@pytest.mark.django_db
def test_what_stands_beside_the_table_is_left_out_and_said() -> None:
    make_20kg()
    order = [1, "洪小姐", "0912345678", HOME, "20公斤", 2, "2026-11-23", "", "", ""]
    report = import_orders(make_xlsx([TITLES, [*order, None, "司機：小王"]]))
    assert (len(report.created), [(note.row, note.text) for note in report.notes]) == (1, [(2, "司機：小王")])


CORNERS = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
XLSX = make_xlsx([["客戶"], ["洪小姐"]])


@pytest.mark.parametrize(
    "data",
    [
        XLSX[: len(XLSX) // 2], b"PK\x03\x04" + b"\0" * 40, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600,
        make_zip({"readme.txt": "x"}), make_zip({"xl/workbook.xml": "<workbook"}), make_raw_xlsx("<row><c r='?'"),
        MAKERS["xls"]([["客戶"], ["洪小姐"]])[:3000],
    ],
)  # fmt: skip
def test_a_broken_workbook_is_refused_with_what_to_do(data: bytes) -> None:
    with translation.override("en"), pytest.raises(UnreadableSheet, match=r"save it anew|too large"):
        read(data)


def test_a_workbook_that_needs_all_memory_is_refused() -> None:
    with translation.override("en"), pytest.raises(UnreadableSheet, match="too large"):
        read(make_raw_xlsx(CORNERS))


def test_a_workbook_that_unpacks_without_end_is_refused() -> None:
    with translation.override("en"), pytest.raises(UnreadableSheet, match="too large"):
        read(make_raw_xlsx(" " * 210 * 1024**2))


def test_a_workbook_of_one_long_text_again_and_again_is_refused() -> None:
    cells = "".join(f'<row><c t="inlineStr"><is><t>{"x" * 1000}</t></is></c></row>' * 45_000)
    with translation.override("en"), pytest.raises(UnreadableSheet, match="too large|more than"):
        read(make_raw_xlsx(cells))


def test_a_workbook_without_a_cell_is_empty() -> None:
    with translation.override("en"), pytest.raises(UnreadableSheet, match="empty"):
        read(make_xlsx([]))


def test_a_workbook_of_more_rows_than_allowed_is_refused() -> None:
    rows = [["客戶"], *[["洪小姐"]] * 3]
    assert len(read(make_xlsx(rows), max_rows=3).lines) == 3
    with pytest.raises(UnreadableSheet, match="2"):
        read(make_xlsx(rows), max_rows=2)


def test_a_web_page_with_the_name_of_a_workbook_is_refused_as_what_it_is() -> None:
    with translation.override("en"), pytest.raises(UnreadableSheet, match="web page"):
        read("<html><table><tr><td>客戶</td></tr></table></html>".encode())
