from __future__ import annotations

import pytest
from django.utils import translation

from orders.importing.report import Created, Mode, Remark, Report

WRONG = [Remark(5, "電話", "…"), Remark(3, "數量", "…"), Remark(5, "數量", "…")]


@pytest.mark.parametrize("mode", list(Mode))
def test_summary_counts_rows_and_not_problems(mode: Mode) -> None:
    report = Report(mode, "utf-8", 9, created=[Created(2)] * 4, known=[7], problems=list(WRONG))
    with translation.override("en"):
        said = report.summary()
    assert "of 9 rows" in said.lower()
    assert "2 " in said
    assert "1 " in said
    assert ("4 " in said) is (mode is not Mode.ALL)


def test_remarks_come_in_the_order_of_rows() -> None:
    report = Report(Mode.GOOD, "utf-8", 9, problems=list(WRONG)).by_row()
    assert [remark.row for remark in report.problems] == [3, 5, 5]


def test_long_cell_is_shown_shortened() -> None:
    assert Remark(1, "", "", "x" * 999).shown == "x" * 59 + "…"
    assert Remark(1, "", "", "x" * 60).shown == "x" * 60
