from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogue.models import Product
from importing.columns import Column, SheetLine, UnreadableSheet, locate_columns
from importing.importer import import_orders
from importing.report import Report
from importing.row import OrderDraft, RowReader
from importing.tests.sheets import HEADING, HOME, make_20kg, make_sheet, row
from orders.models import Order, Priority, TimeSlot

DAY = date(2026, 11, 23)
TITLES = ["編號", "客戶", "電話", "地址", "商品", "數量", "配送日期", "時段", "優先", "備註"]
CELLS = ["7", "洪小姐", "0912-345-678", "台北市大安區信義路四段7號", "20 KG", "兩", "11/23", "上午", "急件", "後門，進"]
PRODUCTS = [
    Product(pk=1, code="LPG20", name="20kg 瓦斯桶", aliases="20公斤\n２０公斤瓦斯\n20kg", price=800),
    Product(pk=2, code="LPG50", name="50kg 瓦斯桶", aliases="大桶", price=1850),
    Product(pk=3, code="LPG50B", name="50kg 舊桶", aliases="大桶", price=1850),
    Product(pk=4, code="LPG5", name="5kg", price=300, is_active=False),
    Product(pk=5, code="DEAR", name="dear", price=2**31 - 1),
]
READER = RowReader(locate_columns(SheetLine(1, TITLES)), PRODUCTS, DAY)


def read_row(**changed: str) -> OrderDraft | list[str]:
    """The draft of the usual row with these changed cells, or the headings of its invalid columns."""
    cells = [changed.get(column.value, cell) for column, cell in zip(Column, CELLS, strict=True)]
    found = READER.read(SheetLine(2, cells))
    return found if isinstance(found, OrderDraft) else [problem.column for problem in found]


def test_row_becomes_draft() -> None:
    assert read_row() == OrderDraft(
        row=2, number="7", customer="洪小姐", phone=("+886912345678",), address="台北市大安區信義路四段7號",
        product=PRODUCTS[0], quantity=2, date=DAY, slot=TimeSlot.MORNING, priority=Priority.URGENT, notes="後門，進",
    )  # fmt: skip


@pytest.mark.parametrize("name", ["20kg 瓦斯桶", "20公斤", "２０公斤瓦斯", "20 KG", "lpg20"])
def test_product_is_found_by_every_name(name: str) -> None:
    draft = read_row(product=name)
    assert isinstance(draft, OrderDraft)
    assert draft.product.pk == 1


@pytest.mark.parametrize("name", ["", "30公斤", "大桶", "5kg"])
def test_missing_unknown_ambiguous_or_inactive_product_is_reported(name: str) -> None:
    assert read_row(product=name) == ["商品"]


def test_every_invalid_cell_is_reported() -> None:
    wrong = read_row(phone="請打家裡", quantity="0", date="2026-02-30", slot="半夜", priority="!", notes="x" * 501)
    assert wrong == ["電話", "數量", "配送日期", "時段", "優先", "備註"]


def test_too_long_name_and_address_are_reported() -> None:
    assert read_row(customer="x" * 101, address="x" * 201) == ["客戶", "地址"]


def test_too_large_amount_is_reported() -> None:
    assert read_row(product="dear", quantity="2") == ["數量"]
    assert isinstance(read_row(product="dear", quantity="1"), OrderDraft)


def test_cells_beyond_the_headings_are_reported() -> None:
    (problem,) = READER.read(SheetLine(9, [*CELLS, "小心"]))  # type: ignore[misc]
    assert (problem.row, problem.text) == (9, "小心")


def draft(**fields: object) -> OrderDraft:
    found = read_row()
    assert isinstance(found, OrderDraft)
    return replace(found, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "fields",
    [
        {"phone": ("+886912345679",)}, {"phone": ()}, {"address": "別處"}, {"product": PRODUCTS[1]}, {"quantity": 3},
        {"slot": TimeSlot.EVENING}, {"priority": Priority.NORMAL}, {"notes": "前門"},
    ],
)  # fmt: skip
def test_other_content_of_numbered_row_changes_digest(fields: dict[str, object]) -> None:
    assert draft(**fields).digest() != draft().digest()


@pytest.mark.parametrize("fields", [{"row": 99}, {"address": "臺北市大安區信義路四段 ７號"}, {"customer": "洪太太"}])
def test_digest_ignores_spelling_row_number_and_name(fields: dict[str, object]) -> None:
    assert draft(**fields).digest() == draft().digest()


def test_notes_and_priority_do_not_change_digest_without_number() -> None:
    assert draft(number="").digest() == draft(number="", notes="", priority=Priority.NORMAL).digest()


def test_digest_uses_name_without_telephone() -> None:
    assert draft(phone=(), customer="甲").digest() != draft(phone=(), customer="乙").digest()


@given(st.lists(st.text(max_size=40), max_size=12))
def test_any_cells_give_draft_or_problems(cells: list[str]) -> None:
    found = READER.read(SheetLine(2, cells))
    assert isinstance(found, OrderDraft) or found


@given(st.sampled_from(list(Column)), st.text(max_size=600))
def test_any_single_cell_gives_draft_or_problems(column: Column, text: str) -> None:
    found = read_row(**{column.value: text})
    assert isinstance(found, OrderDraft) or found


# The import skips rows that are not orders, and notes them in the report. It never skips an order.


@pytest.fixture
def _product() -> None:
    make_20kg()


def outcome(*lines: str) -> tuple[list[int], list[int], list[int]]:
    """Imports the lines. Returns three lists of row numbers: new orders, rows with a note, invalid rows."""
    return rows_of(import_orders("\n".join(lines).encode()))


def rows_of(report: Report) -> tuple[list[int], list[int], list[int]]:
    imported, noted = [created.row for created in report.created], [note.row for note in report.notes]
    assert report.rows == len(imported) + len({problem.row for problem in report.problems}) + len(report.known)
    return imported, noted, sorted({problem.row for problem in report.problems})


@pytest.mark.django_db
@pytest.mark.usefixtures("_product")
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("line", ["sep={}", '"sep={}"', "SEP={}"])
def test_separator_line_is_read(delimiter: str, line: str) -> None:
    sheet = make_sheet(row(1)).decode().replace(",", delimiter)
    report = import_orders(f"\ufeff{line.format(delimiter)}\r\n{sheet}".encode())
    assert rows_of(report) == ([2], [0], [])
    assert report.notes[0].text == f"sep={delimiter}"


@pytest.mark.django_db
@pytest.mark.usefixtures("_product")
@pytest.mark.parametrize(
    "above", [["幸福氣 12月訂單"], ["幸福氣;訂單,,,,", "", "日期：,2026/12/1,,司機：,小王"], ["訂單,客戶"]]
)
def test_titles_above_headings_are_skipped(above: list[str]) -> None:
    filled = [number for number, line in enumerate(above, 1) if line]
    assert outcome(*above, HEADING, row(1)) == ([len(above) + 2], filled, [])


@pytest.mark.django_db
@pytest.mark.usefixtures("_product")
def test_separators_in_title_do_not_change_delimiter() -> None:
    sheet = make_sheet(row(1)).decode().replace(",", ";")
    assert outcome("訂單, 12月, 幸福氣, 台北", *sheet.split("\n")) == ([3], [1], [])


@pytest.mark.django_db
@pytest.mark.usefixtures("_product")
def test_repeated_headings_and_their_title_are_skipped() -> None:
    lines = [HEADING, row(1), "", "幸福氣 第2頁", HEADING, row(2), HEADING, row(3)]
    assert outcome(*lines) == ([2, 6, 8], [4, 5, 7], [])


@pytest.mark.django_db
@pytest.mark.usefixtures("_product")
def test_moved_headings_apply_to_rows_below() -> None:
    other = "電話,客戶,地址,數量,商品,日期"
    moved = f"0912-345-679,劉老師,{HOME},3,20公斤,2026-11-24"
    assert outcome(HEADING, row(1), other, moved) == ([2, 4], [3], [])
    assert Order.objects.get(customer__name="劉老師").items.get().quantity == 3


@pytest.mark.django_db
@pytest.mark.usefixtures("_product")
def test_repeated_headings_without_required_column_are_refused() -> None:
    with pytest.raises(UnreadableSheet, match="3"):
        outcome(HEADING, row(1), "電話,客戶,地址,數量", "0912-345-679,劉老師,x,3")
    assert Order.objects.count() == 0


@pytest.mark.django_db
@pytest.mark.usefixtures("_product")
@pytest.mark.parametrize(
    "line",
    [
        "合計,,,,,800,,,,", ",,,,合計,800", ",合 計：,,,,800桶", "總計,161筆,,,,\"1,398\"", ",,,,,398,,,,",
        "共 161 筆", "Total,,,,,12",
        "小計（大安區）,,,,,25,2026-11-23", ",,,合計金額,,800,,,,NT$128000", "Grand Total;", "以上共398桶",
        ",,,,20公斤 合計,300", "11/23 合計,,,,,300",
    ],
)  # fmt: skip
def test_sum_is_skipped(line: str) -> None:
    assert outcome(HEADING, row(1), line) == ([2], [3], [])


@pytest.mark.django_db
@pytest.mark.usefixtures("_product")
@pytest.mark.parametrize(
    "line", ["3,,,,,,,,,", "4,,,,,,2026-11-23,上午,,", "第 1 頁,共 3 頁", "製表：王小明,,,審核：", "-----", "以下空白"]
)
def test_row_without_order_is_skipped(line: str) -> None:
    assert outcome(HEADING, row(1), line) == ([2], [3], [])


@pytest.mark.django_db
@pytest.mark.usefixtures("_product")
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
def test_incomplete_order_is_reported_not_skipped(wrong: str) -> None:
    assert outcome(HEADING, wrong, row(1)) == ([3], [], [2])


@pytest.mark.django_db
@pytest.mark.usefixtures("_product")
def test_order_that_mentions_sum_is_an_order() -> None:
    assert outcome(HEADING, row(1, customer="合計企業", notes="小計另付")) == ([2], [], [])


@pytest.mark.django_db
@pytest.mark.usefixtures("_product")
def test_decimals_of_spreadsheet_are_removed() -> None:
    assert outcome(HEADING, row("7.0", phone="912000136.0", quantity="2.0")) == ([2], [], [])
    assert Order.objects.get().customer.phone == "+886912000136"
    assert import_orders(make_sheet(row(7, phone="0912-000-136"))).known == [2]


@pytest.mark.django_db
@pytest.mark.usefixtures("_product")
@pytest.mark.parametrize(("phone", "created"), [("9.12000136E+08", 1), ("8.86912E+11", 0)])
def test_exponent_is_read_if_no_digit_is_lost(phone: str, created: int) -> None:
    assert len(outcome(HEADING, row(1, phone=phone))[0]) == created
