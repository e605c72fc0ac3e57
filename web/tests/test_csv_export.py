from __future__ import annotations

import pytest

from web import csv_export


@pytest.mark.parametrize("text", ["＝1+1", "＠x", "＋1", "－1", "\n=1", "\u3000=1", "\xa0@x", "\t=1"])
def test_formula_gets_an_apostrophe_in_front(text: str) -> None:
    assert csv_export.escape_formula(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "瓦斯 = 1", "1-2", "  瓦斯"])
def test_other_cells_are_unchanged(text: str) -> None:
    assert csv_export.escape_formula(text) == text


def test_csv_file_starts_with_a_byte_order_mark() -> None:
    answer = csv_export.csv_response([["日", "=1"], [None, 2]], "a.csv")
    assert answer.content.decode() == "\ufeff日,'=1\r\n,2\r\n"
    assert answer["Content-Disposition"] == 'attachment; filename="a.csv"'
