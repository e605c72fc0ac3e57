"""One damaged character costs its own row and no other, and the reason given is true."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.utils import translation

from importing.decoding import fault_of
from importing.importer import import_orders
from importing.sheet import read
from importing.tests.sheets import make_20kg, make_sheet, row
from orders.models import Order


@pytest.fixture(autouse=True)
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
    ("utf-8", b"\x00", "U+0000", "control"), ("utf-8", "\ue123".encode(), "U+E123", "private"),
    ("utf-8", "\ufffd".encode(), "lost", "saved"), ("utf-8", "\x9b".encode(), "U+009B", "control"),
    ("cp950", b"\xff", "FF", "Big5"), ("cp950", b"\xfbi", "堃", "HKSCS"), ("cp950", b"\x81\x40", "81 40", "UAO"),
    ("cp950", b"\xfa\xa1\xa4\xa4", "FA A1", "HKSCS"), ("cp950", b"\x1f", "U+001F", "control"),
    ("utf-16", b"\x1f\x00", "U+001F", "control"), ("utf-16", b"\x00\xd8", "00 D8", "UTF-16"),
]  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize(("encoding", "damage", "shown", "named"), CASES)
def test_only_the_row_with_the_damaged_character_is_refused(
    encoding: str, damage: bytes, shown: str, named: str
) -> None:
    make_20kg()
    report = import_orders(damaged(encoding, damage))
    assert [made.row for made in report.created] == [2, 4]
    assert [(problem.row, problem.column) for problem in report.problems] == [(3, "客戶")]
    reason = report.problems[0].reason
    assert "Character 2" in reason
    assert shown in reason
    assert named in reason
    assert report.problems[0].text.startswith("王�")
    assert Order.objects.count() == 2


@pytest.mark.django_db
def test_a_name_in_hkscs_is_read_where_it_is_said() -> None:
    make_20kg()
    data = make_sheet(row(1, customer="王堃")).decode().encode("big5hkscs")
    assert [problem.column for problem in import_orders(data).problems] == ["客戶"]
    import_orders(data, encoding="big5-hkscs")
    assert Order.objects.get().customer.name == "王堃"


@pytest.mark.django_db
def test_a_damaged_character_in_a_column_that_is_not_used_costs_nothing() -> None:
    make_20kg()
    data = make_sheet(row(1)).replace("編號".encode(), "業務員".encode()).replace(b"\n1,", b"\n\xff,")
    report = import_orders(data)
    assert (len(report.created), report.problems) == (1, [])


def test_a_damaged_heading_is_still_found() -> None:
    sheet = read("編號,客\x1f戶,電話\n1,洪小姐,0912\n".encode())
    assert sheet.heading.cells == ["編號", "客戶", "電話"]


@pytest.mark.parametrize("cell", ["#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#名稱?", "########", "Err:502"])
def test_a_cell_without_a_value_is_no_text(cell: str) -> None:
    assert "formula" in fault_of(cell, "utf-8")


@pytest.mark.parametrize(
    "cell", ["", "堃", "#12", "#後門!", "##", "3樓#2", "a\tb\nc\x0bd", "👍🏽", "\u3000", "ｶﾞｽ", "𠮷野家"]
)
def test_what_people_type_is_no_damage(cell: str) -> None:
    assert fault_of(cell, "utf-8") == ""
