"""What spreadsheets and people put around the orders is left out, and said; no order is."""

from __future__ import annotations

import pytest

from importing.columns import UnreadableSheet
from importing.importer import import_orders
from importing.report import Report
from importing.tests.sheets import HEADING, HOME, make_20kg, make_sheet, row
from orders.models import Order

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _product() -> None:
    make_20kg()


def outcome(*lines: str) -> tuple[list[int], list[int], list[int]]:
    """Rows that became orders, that were left out, and that are wrong."""
    return rows_of(import_orders("\n".join(lines).encode()))


def rows_of(report: Report) -> tuple[list[int], list[int], list[int]]:
    made, said = [created.row for created in report.created], [note.row for note in report.notes]
    assert report.rows == len(made) + len({problem.row for problem in report.problems}) + len(report.known)
    return made, said, sorted({problem.row for problem in report.problems})


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("line", ["sep={}", '"sep={}"', "SEP={}"])
def test_the_line_that_names_the_separator_is_understood(delimiter: str, line: str) -> None:
    sheet = make_sheet(row(1)).decode().replace(",", delimiter)
    report = import_orders(f"\ufeff{line.format(delimiter)}\r\n{sheet}".encode())
    assert rows_of(report) == ([2], [0], [])
    assert report.notes[0].text == f"sep={delimiter}"


@pytest.mark.parametrize(
    "above", [["幸福氣 12月訂單"], ["幸福氣;訂單,,,,", "", "日期：,2026/12/1,,司機：,小王"], ["訂單,客戶"]]
)
def test_titles_above_the_headings_are_left_out(above: list[str]) -> None:
    filled = [number for number, line in enumerate(above, 1) if line]
    assert outcome(*above, HEADING, row(1)) == ([len(above) + 2], filled, [])


def test_a_title_with_other_separators_than_the_table_misleads_nobody() -> None:
    sheet = make_sheet(row(1)).decode().replace(",", ";")
    assert outcome("訂單, 12月, 幸福氣, 台北", *sheet.split("\n")) == ([3], [1], [])


def test_headings_again_are_left_out_with_the_title_above_them() -> None:
    lines = [HEADING, row(1), "", "幸福氣 第2頁", HEADING, row(2), HEADING, row(3)]
    assert outcome(*lines) == ([2, 6, 8], [4, 5, 7], [])


def test_headings_in_the_middle_that_stand_elsewhere_count_from_there() -> None:
    other = "電話,客戶,地址,數量,商品,日期"
    moved = f"0912-345-679,劉老師,{HOME},3,20公斤,2026-11-24"
    assert outcome(HEADING, row(1), other, moved) == ([2, 4], [3], [])
    assert Order.objects.get(customer__name="劉老師").items.get().quantity == 3


def test_headings_in_the_middle_without_a_column_that_is_needed_are_refused() -> None:
    with pytest.raises(UnreadableSheet, match="3"):
        outcome(HEADING, row(1), "電話,客戶,地址,數量", "0912-345-679,劉老師,x,3")
    assert Order.objects.count() == 0


@pytest.mark.parametrize(
    "line",
    [
        "合計,,,,,800,,,,", ",,,,合計,800", ",合 計：,,,,800桶", "總計,161筆,,,,\"1,398\"", ",,,,,398,,,,",
        "共 161 筆", "Total,,,,,12",
        "小計（大安區）,,,,,25,2026-11-23", ",,,合計金額,,800,,,,NT$128000", "Grand Total;", "以上共398桶",
        ",,,,20公斤 合計,300", "11/23 合計,,,,,300",
    ],
)  # fmt: skip
def test_a_sum_is_left_out(line: str) -> None:
    assert outcome(HEADING, row(1), line) == ([2], [3], [])


@pytest.mark.parametrize(
    "line", ["3,,,,,,,,,", "4,,,,,,2026-11-23,上午,,", "第 1 頁,共 3 頁", "製表：王小明,,,審核：", "-----", "以下空白"]
)
def test_a_row_that_orders_nothing_is_left_out(line: str) -> None:
    assert outcome(HEADING, row(1), line) == ([2], [3], [])


@pytest.mark.parametrize(
    "wrong",
    [
        row(2, customer="", phone="", address=""), row(2, date="", notes="合計 2 桶"), row("", customer="合計",
        phone="x"),
        row(2, product="", date="", notes="共 2 桶"), ",,0912345678,,,,,,,", ",洪小姐,,,,,,,,",
        ",,,,20公斤,,,,,", ",,,,,,,,,請打電話",
        "2,,,,,2,,,,", row(2, customer="小計", phone="", quantity=""), row(2, customer="總計", phone="", date=""),
    ],
)  # fmt: skip
def test_an_order_that_lacks_something_is_wrong_and_never_left_out(wrong: str) -> None:
    assert outcome(HEADING, wrong, row(1)) == ([3], [], [2])


def test_an_order_with_the_word_of_a_sum_is_an_order() -> None:
    assert outcome(HEADING, row(1, customer="合計企業", notes="小計另付")) == ([2], [], [])


def test_numbers_with_the_decimals_of_a_spreadsheet_are_whole() -> None:
    assert outcome(HEADING, row("7.0", phone="912000136.0", quantity="2.0")) == ([2], [], [])
    assert Order.objects.get().customer.phone == "+886912000136"
    assert import_orders(make_sheet(row(7, phone="0912-000-136"))).known == [2]


@pytest.mark.parametrize(("phone", "made"), [("9.12000136E+08", 1), ("8.86912E+11", 0)])
def test_a_shortened_number_is_read_while_no_digit_is_lost(phone: str, made: int) -> None:
    assert len(outcome(HEADING, row(1, phone=phone))[0]) == made
