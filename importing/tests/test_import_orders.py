from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import translation

from catalogue.models import Product
from importing.report import CreatedOrder, Finding, Mode, Remark, Report, findings
from importing.tests.sheets import make_20kg, make_sheet, make_xlsx, row
from orders.models import Order

pytestmark = pytest.mark.django_db


@pytest.fixture
def file(tmp_path: Path) -> Path:
    make_20kg()
    path = tmp_path / "orders.csv"
    path.write_bytes(make_sheet(row(1), row(2, quantity="0")))
    return path


@pytest.mark.sqlite
def test_valid_rows_are_imported_and_others_listed(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        call_command("import_orders", file)
    assert ended.value.code == 1
    assert Order.objects.count() == 1
    assert "數量 “0”" in capsys.readouterr().out


@pytest.mark.sqlite
def test_exit_code_is_zero_if_all_rows_are_valid_or_known(file: Path) -> None:
    file.write_bytes(make_sheet(row(1), row(2)))
    for _time in range(2):
        call_command("import_orders", file)
    assert Order.objects.count() == 2


@pytest.mark.sqlite
@pytest.mark.parametrize("flag", ["--dry-run", "--all-or-nothing"])
def test_dry_run_and_all_or_nothing_import_nothing(file: Path, flag: str) -> None:
    with pytest.raises(SystemExit) as ended:
        call_command("import_orders", file, flag)
    assert ended.value.code == 1
    assert Order.objects.count() == 0


@pytest.mark.sqlite
def test_encoding_option_sets_encoding(file: Path) -> None:
    file.write_bytes(make_sheet(row(1)).decode().encode("cp950"))
    call_command("import_orders", file, "--encoding", "big5")
    assert Order.objects.get().customer.name == "洪小姐"


@pytest.mark.sqlite
def test_common_cause_is_reported_once(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_bytes(make_sheet(*(row(number, date="12.2") for number in range(30))))
    with pytest.raises(SystemExit):
        call_command("import_orders", file)
    assert capsys.readouterr().out.count("12.2") == 1


@pytest.mark.sqlite
def test_missing_products_give_one_error(file: Path) -> None:
    Product.objects.all().unannounced().delete()
    with translation.override("en"), pytest.raises(CommandError, match="There are no products yet") as refused:
        call_command("import_orders", file)
    assert refused.value.returncode == 2


@pytest.mark.sqlite
@pytest.mark.parametrize("name", ["orders.csv", "orders.xlsx", "orders"])
def test_workbook_is_recognised_by_content(file: Path, name: str) -> None:
    path = file.with_name(name)
    path.write_bytes(make_xlsx([line.split(",") for line in make_sheet(row(1)).decode().split("\n")]))
    call_command("import_orders", path)
    assert Order.objects.count() == 1


@pytest.mark.sqlite
def test_unreadable_file_error_names_file(file: Path) -> None:
    file.write_bytes(b"\0" * 10_000_000)
    with pytest.raises(CommandError, match=r"orders\.csv.*5 MB") as refused:
        call_command("import_orders", file)
    assert refused.value.returncode == 2


@pytest.mark.sqlite
@pytest.mark.parametrize("name", ["missing.csv", "."])
def test_missing_file_error_names_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(CommandError, match=str(tmp_path)) as refused:
        call_command("import_orders", tmp_path / name)
    assert refused.value.returncode == 2


WRONG = [Remark(5, "電話", "…"), Remark(3, "數量", "…"), Remark(5, "數量", "…")]


@pytest.mark.parametrize("mode", list(Mode))
def test_summary_counts_rows_and_not_problems(mode: Mode) -> None:
    report = Report(mode, "utf-8", 9, created=[CreatedOrder(2)] * 4, known=[7], problems=list(WRONG))
    with translation.override("en"):
        summary = report.summary()
    assert "of 9 rows" in summary.lower()
    assert "2 " in summary
    assert "1 " in summary
    assert ("4 " in summary) is (mode is not Mode.ALL)


def test_remarks_are_sorted_by_row() -> None:
    found = Report(Mode.GOOD, "utf-8", 9, problems=list(WRONG)).found_problems()
    assert [finding.rows for finding in found] == [[3], [5], [5]]


def test_long_cell_is_shortened() -> None:
    assert Remark(1, "", "", "x" * 999).shown == "x" * 59 + "…"
    assert Remark(1, "", "", "x" * 60).shown == "x" * 60


def test_reason_of_most_rows_is_reported_once_with_examples() -> None:
    wrong = [Remark(row, "配送日期", "no date", f"{row}x") for row in range(2, 402)]
    (found,) = findings(wrong, 400)
    assert (found.where, found.shown) == ("2–401", "2x / 3x / 4x / 5x / 6x / …")


def test_reasons_differing_only_in_details_are_merged() -> None:
    remarks = [Remark(row, "編號", f"“{row}x” is used by 8147-{row}", f"{row}x") for row in range(2, 42)]
    (found,) = findings(remarks, 40)
    assert (found.where, found.reason) == ("2–41", "… is used by …")
    assert findings(remarks[:3], 40)[0].reason == "“2x” is used by 8147-2"


def test_identical_cells_are_merged_and_others_listed() -> None:
    wrong = [Remark(row, "商品", "unknown", "30公斤" if row % 2 else f"{row}") for row in range(1, 9)]
    found = [(finding.where, finding.shown) for finding in findings(wrong, 400)]
    assert found == [("1, 3, 5, 7", "30公斤"), ("2", "2"), ("4", "4"), ("6", "6"), ("8", "8")]


def test_remarks_on_whole_file_come_first_without_row() -> None:
    found = findings([Remark(3, "", "a"), Remark(0, "", "b"), Remark(4, "", "a")], 9)
    assert [(finding.where, finding.reason) for finding in found] == [("", "b"), ("3", "a"), ("4", "a")]


def test_list_of_rows_is_limited() -> None:
    assert Finding(list(range(0, 1000, 2)), "", "", []).where.endswith("98, 100, …")
