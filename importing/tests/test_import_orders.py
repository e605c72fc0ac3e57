from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import translation

from catalogue.models import Product
from importing.tests.sheets import make_20kg, make_sheet, row
from importing.tests.workbooks import make_xlsx
from orders.models import Order

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    make_20kg()
    path = tmp_path / "orders.csv"
    path.write_bytes(make_sheet(row(1), row(2, quantity="0")))
    return path


def test_good_rows_are_imported_and_the_others_listed(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        call_command("import_orders", file)
    assert ended.value.code == 1
    assert Order.objects.count() == 1
    assert "數量 “0”" in capsys.readouterr().out


def test_end_is_quiet_when_every_row_was_right_or_known(file: Path) -> None:
    file.write_bytes(make_sheet(row(1), row(2)))
    for _time in range(2):
        call_command("import_orders", file)
    assert Order.objects.count() == 2


@pytest.mark.parametrize("flag", ["--dry-run", "--all-or-nothing"])
def test_nothing_is_imported_on_request(file: Path, flag: str) -> None:
    with pytest.raises(SystemExit) as ended:
        call_command("import_orders", file, flag)
    assert ended.value.code == 1
    assert Order.objects.count() == 0


def test_encoding_may_be_named(file: Path) -> None:
    file.write_bytes(make_sheet(row(1)).decode().encode("cp950"))
    call_command("import_orders", file, "--encoding", "big5")
    assert Order.objects.get().customer.name == "洪小姐"


def test_one_cause_is_said_once(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_bytes(make_sheet(*(row(number, date="12.2") for number in range(30))))
    with pytest.raises(SystemExit):
        call_command("import_orders", file)
    assert capsys.readouterr().out.count("12.2") == 1


def test_without_products_one_sentence_says_so(file: Path) -> None:
    Product.objects.all().unannounced().delete()
    with translation.override("en"), pytest.raises(CommandError, match="There are no products yet") as refused:
        call_command("import_orders", file)
    assert refused.value.returncode == 2


@pytest.mark.parametrize("name", ["orders.csv", "orders.xlsx", "orders"])
def test_a_workbook_is_known_by_its_content(file: Path, name: str) -> None:
    path = file.with_name(name)
    path.write_bytes(make_xlsx([line.split(",") for line in make_sheet(row(1)).decode().split("\n")]))
    call_command("import_orders", path)
    assert Order.objects.count() == 1


def test_file_that_is_no_sheet_is_an_error_with_its_name(file: Path) -> None:
    file.write_bytes(b"\0" * 10_000_000)
    with pytest.raises(CommandError, match=r"orders\.csv.*5 MB") as refused:
        call_command("import_orders", file)
    assert refused.value.returncode == 2


@pytest.mark.parametrize("name", ["missing.csv", "."])
def test_file_that_cannot_be_opened_is_an_error_with_its_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(CommandError, match=str(tmp_path)) as refused:
        call_command("import_orders", tmp_path / name)
    assert refused.value.returncode == 2
