from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogue.models import Product
from importing.columns import Column, Line, locate
from importing.row import Draft, RowReader
from orders.models import Priority, TimeSlot

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
READER = RowReader(locate(Line(1, TITLES)), PRODUCTS, DAY)


def read(**changed: str) -> Draft | list[str]:
    """The draft of the usual row with other cells, or the headings of the columns found wrong."""
    cells = [changed.get(column.value, cell) for column, cell in zip(Column, CELLS, strict=True)]
    found = READER.read(Line(2, cells))
    return found if isinstance(found, Draft) else [problem.column for problem in found]


def test_row_is_understood() -> None:
    assert read() == Draft(
        row=2, number="7", customer="洪小姐", phone=("+886912345678",), address="台北市大安區信義路四段7號",
        product=PRODUCTS[0], quantity=2, date=DAY, slot=TimeSlot.MORNING, priority=Priority.URGENT, notes="後門，進",
    )  # fmt: skip


@pytest.mark.parametrize("name", ["20kg 瓦斯桶", "20公斤", "２０公斤瓦斯", "20 KG", "lpg20"])
def test_product_is_found_by_any_of_its_names(name: str) -> None:
    draft = read(product=name)
    assert isinstance(draft, Draft)
    assert draft.product.pk == 1


@pytest.mark.parametrize("name", ["", "30公斤", "大桶", "5kg"])
def test_product_missing_unknown_ambiguous_or_no_longer_sold_is_a_problem(name: str) -> None:
    assert read(product=name) == ["商品"]


def test_every_wrong_cell_is_a_problem_of_its_own() -> None:
    wrong = read(phone="請打家裡", quantity="0", date="2026-02-30", slot="半夜", priority="!", notes="x" * 501)
    assert wrong == ["電話", "數量", "配送日期", "時段", "優先", "備註"]


def test_name_and_address_longer_than_their_columns_are_problems() -> None:
    assert read(customer="x" * 101, address="x" * 201) == ["客戶", "地址"]


def test_amount_too_large_to_store_is_a_problem() -> None:
    assert read(product="dear", quantity="2") == ["數量"]
    assert isinstance(read(product="dear", quantity="1"), Draft)


def test_cells_beyond_the_headings_are_a_problem() -> None:
    (problem,) = READER.read(Line(9, [*CELLS, "小心"]))  # type: ignore[misc]
    assert (problem.row, problem.text) == (9, "小心")


def draft(**fields: object) -> Draft:
    found = read()
    assert isinstance(found, Draft)
    return replace(found, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "fields",
    [
        {"phone": ("+886912345679",)}, {"phone": ()}, {"address": "別處"}, {"product": PRODUCTS[1]}, {"quantity": 3},
        {"slot": TimeSlot.EVENING}, {"priority": Priority.NORMAL}, {"notes": "前門"},
    ],
)  # fmt: skip
def test_numbered_row_with_other_content_has_another_digest(fields: dict[str, object]) -> None:
    assert draft(**fields).digest() != draft().digest()


@pytest.mark.parametrize("fields", [{"row": 99}, {"address": "臺北市大安區信義路四段 ７號"}, {"customer": "洪太太"}])
def test_same_content_written_another_way_has_the_same_digest(fields: dict[str, object]) -> None:
    assert draft(**fields).digest() == draft().digest()


def test_without_a_number_notes_and_priority_make_no_other_order() -> None:
    assert draft(number="").digest() == draft(number="", notes="", priority=Priority.NORMAL).digest()


def test_without_a_telephone_the_name_tells_who() -> None:
    assert draft(phone=(), customer="甲").digest() != draft(phone=(), customer="乙").digest()


@given(st.lists(st.text(max_size=40), max_size=12))
def test_any_cells_are_a_draft_or_problems(cells: list[str]) -> None:
    found = READER.read(Line(2, cells))
    assert isinstance(found, Draft) or found


@given(st.sampled_from(list(Column)), st.text(max_size=600))
def test_any_one_cell_is_a_draft_or_problems(column: Column, text: str) -> None:
    found = read(**{column.value: text})
    assert isinstance(found, Draft) or found
