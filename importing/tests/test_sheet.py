"""Tests that read workbooks and text files, also hostile and damaged ones."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import date, time
from typing import Any

import openpyxl
import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from importing.columns import WHOLE_ROW, UnreadableSheet
from importing.decoding import fault_of
from importing.importer import import_orders
from importing.sheet import read_sheet
from importing.tests.sheets import (
    HEADING,
    HOME,
    MAKERS,
    Rows,
    make_20kg,
    make_raw_xlsx,
    make_sheet,
    make_xlsx,
    make_zip,
    row,
    save_to_bytes,
)
from orders.models import Order

TITLES = HEADING.split(",")


def as_csv(rows: Rows) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


@pytest.mark.long
@pytest.mark.django_db
def test_workbook_imports_like_equal_csv() -> None:
    make_20kg()
    plain: list[list[str]] = [TITLES]
    typed: list[list[Any]] = [["幸福氣 訂單"], [], [f"\ufeff{title}\u200b" for title in TITLES]]
    for n in range(1, 401):
        address = f"台北市大安區信義路四段{(n + 1) // 2}號"
        plain.append([str(n), f"客{n}", f"0912{n:06d}", address, "20公斤", "2", "2026-11-23", "上午", "", ""])
        # As spreadsheets store them: a telephone without its zero, a date as a number, one merged cell for two rows.
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
def test_every_kind_of_workbook_is_read(kind: str) -> None:
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
def test_row_numbers_of_workbook_match_spreadsheet(kind: str) -> None:
    rows: Rows = [[None], [None, "客戶", "電話"], [None], [None, "洪小姐", "0912"]]
    sheet = read_sheet(MAKERS[kind](rows))
    assert (sheet.heading.number, [line.number for line in sheet.lines]) == (2, [4])
    assert sheet.lines[0].cells[-2:] == ["洪小姐", "0912"]


def test_numbers_are_read_as_shown() -> None:
    row = read_sheet(make_xlsx([["h"] * 6, [912000136, 12.2, 46357, True, 0.1 + 0.2, 886912345678]])).lines[0]
    assert row.cells == ["912000136", "12.2", "46357", "TRUE", "0.3", "886912345678"]


def test_date_of_1904_calendar_is_read() -> None:
    workbook = openpyxl.Workbook()
    workbook.epoch = CALENDAR_MAC_1904
    workbook.worksheets[0].append(["日期"])
    workbook.worksheets[0].append([date(2026, 12, 1)])
    assert read_sheet(save_to_bytes(workbook.save)).lines[0].cells == ["2026-12-01"]


@pytest.mark.parametrize(
    "format_", ["[$-404]e/m/d", '[$-404]gge"年"m"月"d"日"', 'm"月"d"日"', "d-mmm-yy", "yyyy/m/d(aaa)"]
)
def test_date_is_read_in_every_format(format_: str) -> None:
    workbook = openpyxl.Workbook()
    workbook.worksheets[0]["A1"] = "日期"
    workbook.worksheets[0]["A2"] = 46357
    workbook.worksheets[0]["A2"].number_format = format_
    assert read_sheet(save_to_bytes(workbook.save)).lines[0].cells == ["2026-12-01"]


def test_failed_formula_marks_cell_as_damaged() -> None:
    data = make_raw_xlsx(
        '<row r="1"><c r="A1" t="inlineStr"><is><t>地址</t></is></c></row>'
        '<row r="2"><c r="A2" t="e"><f>VLOOKUP(1,B:C,2,0)</f><v>#N/A</v></c></row>'
    )
    line = read_sheet(data).lines[0]
    assert (line.cells, list(line.faults)) == (["#N/A"], [0])


def test_hidden_sheets_are_skipped_and_others_noted() -> None:
    workbook = openpyxl.Workbook()
    workbook.worksheets[0].sheet_state = "hidden"
    for name in ("訂單", "價目"):
        workbook.create_sheet(name).append([f"客戶 {name}"])
    sheet = read_sheet(save_to_bytes(workbook.save))
    assert sheet.heading.cells == ["客戶 訂單"]
    assert [(note.row, note.text) for note in sheet.notes] == [(0, "價目")]


@pytest.mark.django_db
def test_cells_beside_the_table_are_skipped_and_noted() -> None:
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
def test_broken_workbook_error_says_what_to_do(data: bytes) -> None:
    with translation.override("en"), pytest.raises(UnreadableSheet, match=r"save it as .xlsx|too large"):
        read_sheet(data)


def test_workbook_exceeding_memory_is_refused() -> None:
    with translation.override("en"), pytest.raises(UnreadableSheet, match="too large"):
        read_sheet(make_raw_xlsx(CORNERS))


def test_zip_bomb_is_refused() -> None:
    with translation.override("en"), pytest.raises(UnreadableSheet, match="too large"):
        read_sheet(make_raw_xlsx(" " * 210 * 1024**2))


def test_workbook_of_repeated_long_text_is_refused() -> None:
    cells = "".join(f'<row><c t="inlineStr"><is><t>{"x" * 1000}</t></is></c></row>' * 45_000)
    with translation.override("en"), pytest.raises(UnreadableSheet, match="too large|more than"):
        read_sheet(make_raw_xlsx(cells))


def test_workbook_without_cells_is_empty() -> None:
    with translation.override("en"), pytest.raises(UnreadableSheet, match="empty"):
        read_sheet(make_xlsx([]))


def test_workbook_with_too_many_rows_is_refused() -> None:
    rows = [["客戶"], *[["洪小姐"]] * 3]
    assert len(read_sheet(make_xlsx(rows), max_rows=3).lines) == 3
    with pytest.raises(UnreadableSheet, match="2"):
        read_sheet(make_xlsx(rows), max_rows=2)


def test_web_page_named_as_workbook_is_recognised() -> None:
    with translation.override("en"), pytest.raises(UnreadableSheet, match="web page"):
        read_sheet("<html><table><tr><td>客戶</td></tr></table></html>".encode())


TEXT = "編號,客戶\n1,洪小姐\n"


@pytest.mark.parametrize(
    ("encoding", "found"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8-sig"), ("cp950", "cp950"), ("utf-16", "utf-16")],
)
def test_encoding_is_detected(encoding: str, found: str) -> None:
    sheet = read_sheet(TEXT.encode(encoding))
    assert (sheet.encoding, sheet.heading.cells, sheet.lines[0].cells) == (found, ["編號", "客戶"], ["1", "洪小姐"])


@pytest.mark.parametrize("named", ["big5", "Big5", "BIG-5"])
def test_big5_means_cp950(named: str) -> None:
    # 碁 is in cp950 and not in Python's plain big5.
    assert read_sheet("客戶\n宏碁\n".encode("cp950"), named).lines[0].cells == ["宏碁"]


def test_given_encoding_allows_byte_order_mark() -> None:
    assert read_sheet(TEXT.encode("utf-8-sig"), "utf-8").heading.cells[0] == "編號"


@pytest.mark.parametrize("named", ["utf-8", "no-such", "hex", "idna", "\0"])
def test_wrong_encoding_error_names_encoding(named: str) -> None:
    with pytest.raises(UnreadableSheet, match=named):
        read_sheet(TEXT.encode("cp950"), named)


@pytest.mark.parametrize("data", [b"\x00\x01\x02" * 99, TEXT.encode("utf-16-le"), b"%PDF\x02"])
def test_binary_file_error_says_what_to_do(data: bytes) -> None:
    with pytest.raises(UnreadableSheet, match="CSV UTF-8"):
        read_sheet(data)


def test_unreadable_workbook_error_says_what_to_do() -> None:
    with pytest.raises(UnreadableSheet, match="CSV UTF-8"):
        read_sheet(b"PK\x03\x04" + b"\0" * 40)


def test_too_large_file_is_refused() -> None:
    with pytest.raises(UnreadableSheet, match="5 MB"):
        read_sheet(b"a" * (5 * 1024 * 1024 + 1))


def test_number_of_rows_is_limited() -> None:
    assert len(read_sheet(b"h\n1\n2\n", max_rows=2).lines) == 2
    with pytest.raises(UnreadableSheet, match="2"):
        read_sheet(b"h\n1\n2\n3\n", max_rows=2)


@pytest.mark.parametrize("data", [b"", b"\n\n", b",,\n , ,\n", b"\xef\xbb\xbf"])
def test_empty_file_is_refused(data: bytes) -> None:
    with translation.override("en"), pytest.raises(UnreadableSheet, match="empty"):
        read_sheet(data)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiter_is_detected(delimiter: str) -> None:
    data = f'編號{delimiter}備註\n1{delimiter}"a,b;c\td"\n'
    assert read_sheet(data.encode()).lines[0].cells == ["1", "a,b;c\td"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_row_numbers_of_csv_match_spreadsheet(end: str) -> None:
    text = end.join(["", "編號,備註", ",", '1,"two', 'lines"', "", "2,"])
    sheet = read_sheet(text.encode())
    assert (sheet.heading.number, [line.number for line in sheet.lines]) == (2, [4, 6])


def test_dos_end_of_file_is_ignored() -> None:
    assert read_sheet(b"h\n1\n\x1a").lines[-1].cells == ["1"]


@pytest.mark.parametrize("row", ['3,"open', '3,"a"b"', '3,"a" b'])
def test_open_quotation_mark_affects_only_its_row(row: str) -> None:
    sheet = read_sheet(f'編號,備註\n1,2\n{row}\n4,"5\n6"\n7,8\n'.encode())
    assert [(line.number, line.cells) for line in sheet.lines] == [
        (2, ["1", "2"]), (3, [row]), (4, ["4", "5\n6"]), (5, ["7", "8"]),
    ]  # fmt: skip
    assert [list(line.faults) for line in sheet.lines] == [[], [WHOLE_ROW], [], []]


@given(st.binary(max_size=300), st.sampled_from(["", "utf-8", "big5", "utf-16"]))
def test_any_bytes_are_read_or_refused(data: bytes, encoding: str) -> None:
    try:
        sheet = read_sheet(data, encoding)
    except UnreadableSheet:
        return
    assert sheet.heading.number >= 1
    assert "\0" not in "".join(sheet.heading.cells)


# A damaged character invalidates only its own row, and the error names the cause.


@pytest.fixture
def _english() -> Iterator[None]:
    with translation.override("en"):
        yield


def damaged(encoding: str, damage: bytes) -> bytes:
    """A sheet with one damaged name in the second of three rows."""
    text = make_sheet(row(1), row(2, customer="王@"), row(3)).decode()
    before, after = text.split("@")
    unmarked = {"utf-8-sig": "utf-8", "utf-16": "utf-16-le"}.get(encoding, encoding)
    return before.encode(encoding) + damage + after.encode(unmarked)


CASES = [
    ("utf-8", b"\xff", "FF", "UTF-8"), ("utf-8-sig", b"\xe5\xa0", "E5 A0", "UTF-8"), ("utf-8", b"\x1f",
    "U+001F", "control"),
    ("utf-8", b"\x00", "U+0000", "control"), ("utf-8", "\ue123".encode(), "U+E123", "one computer"),
    ("utf-8", "\ufffd".encode(), "lost", "saved"), ("utf-8", "\x9b".encode(), "U+009B", "control"),
    ("cp950", b"\xff", "FF", "Big5"), ("cp950", b"\xfbi", "堃", "HKSCS"), ("cp950", b"\x81\x40", "81 40", "computer"),
    ("cp950", b"\xfa\xa1\xa4\xa4", "FA A1", "HKSCS"), ("cp950", b"\x1f", "U+001F", "control"),
    ("utf-16", b"\x1f\x00", "U+001F", "control"), ("utf-16", b"\x00\xd8", "00 D8", "UTF-16"),
]  # fmt: skip


@pytest.mark.usefixtures("_english")
@pytest.mark.django_db
@pytest.mark.parametrize(("encoding", "damage", "shown", "named"), CASES)
def test_only_the_row_with_the_damaged_character_is_refused(
    encoding: str, damage: bytes, shown: str, named: str
) -> None:
    make_20kg()
    report = import_orders(damaged(encoding, damage))
    assert [created.row for created in report.created] == [2, 4]
    assert [(problem.row, problem.column) for problem in report.problems] == [(3, "客戶")]
    reason = report.problems[0].reason
    assert "Character 2" in reason
    assert shown in reason
    assert named in reason
    assert report.problems[0].text.startswith("王�")
    assert Order.objects.count() == 2


@pytest.mark.usefixtures("_english")
@pytest.mark.django_db
def test_hkscs_name_is_read_with_that_encoding() -> None:
    make_20kg()
    data = make_sheet(row(1, customer="王堃")).decode().encode("big5hkscs")
    assert [problem.column for problem in import_orders(data).problems] == ["客戶"]
    import_orders(data, encoding="big5-hkscs")
    assert Order.objects.get().customer.name == "王堃"


@pytest.mark.usefixtures("_english")
@pytest.mark.django_db
def test_damaged_character_in_unused_column_is_ignored() -> None:
    make_20kg()
    data = make_sheet(row(1)).replace("編號".encode(), "業務員".encode()).replace(b"\n1,", b"\n\xff,")
    report = import_orders(data)
    assert (len(report.created), report.problems) == (1, [])


@pytest.mark.usefixtures("_english")
def test_damaged_heading_is_still_found() -> None:
    sheet = read_sheet("編號,客\x1f戶,電話\n1,洪小姐,0912\n".encode())
    assert sheet.heading.cells == ["編號", "客戶", "電話"]


@pytest.mark.usefixtures("_english")
@pytest.mark.parametrize("cell", ["#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#名稱?", "########", "Err:502"])
def test_cell_with_failed_value_is_damaged(cell: str) -> None:
    assert "formula" in fault_of(cell, "utf-8")


@pytest.mark.usefixtures("_english")
@pytest.mark.parametrize(
    "cell", ["", "堃", "#12", "#後門!", "##", "3樓#2", "a\tb\nc\x0bd", "👍🏽", "\u3000", "ｶﾞｽ", "𠮷野家"]
)
def test_unusual_text_is_not_damaged(cell: str) -> None:
    assert fault_of(cell, "utf-8") == ""
