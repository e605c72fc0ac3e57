from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client

from catalogue.models import Product
from importing import admin
from importing.models import CheckedSheet
from importing.tests.sheets import make_20kg, make_sheet, make_xlsx, row
from orders.models import Order
from orders.tests.factories import make_office, make_staff
from orders.tests.threads import at_once

pytestmark = pytest.mark.django_db
URL = "/admin/orders/order/import/"


@pytest.fixture
def office(client: Client) -> Client:
    client.force_login(make_staff())
    return client


def upload(client: Client, data: bytes, mode: str = "good", **more: str) -> Any:
    if not Product.objects.exists():
        make_20kg()
    return client.post(URL, {"file": SimpleUploadedFile("orders.csv", data), "mode": mode} | more)


def page(response: Any) -> str:
    assert response.status_code == 200
    return str(response.content.decode())


def test_list_of_orders_leads_to_the_import(office: Client) -> None:
    assert URL in page(office.get("/admin/orders/order/"))


def test_stranger_is_sent_to_the_sign_in(client: Client) -> None:
    assert client.get(URL).status_code == 302


def test_good_rows_are_imported_in_the_name_of_the_user(office: Client) -> None:
    text = page(upload(office, make_sheet(row(1), row(2, quantity="零"))))
    order = Order.objects.get()
    assert order.order_number in text
    assert "<td>3</td><td>數量</td><td>零</td>" in text
    assert (order.history.get().by_id, order.history.get().source) == (int(office.session["_auth_user_id"]), "import")


@pytest.mark.parametrize("mode", ["check", "all"])
def test_nothing_is_imported_on_request(office: Client, mode: str) -> None:
    assert "<td>零</td>" in page(upload(office, make_sheet(row(1), row(2, quantity="零")), mode))
    assert Order.objects.count() == 0


def test_check_is_chosen_until_another_is(office: Client) -> None:
    assert 'value="check" required id="id_mode_0" checked' in page(office.get(URL))


def test_cell_is_shown_as_text(office: Client) -> None:
    text = page(upload(office, make_sheet(row(1, product="<script>alert(1)</script>"))))
    assert "&lt;script&gt;alert" in text
    assert "<script>alert" not in text


@pytest.mark.parametrize(("encoding", "made"), [("", 1), ("big5", 1), ("utf-8", 0)])
def test_encoding_may_be_chosen(office: Client, encoding: str, made: int) -> None:
    page(upload(office, make_sheet(row(1)).decode().encode("cp950"), encoding=encoding))
    assert Order.objects.count() == made


@pytest.mark.parametrize("data", [b"", b"\0" * 6_000_000, b"\0\xff" * 99, "編號,客戶\n".encode()])
def test_file_that_is_no_sheet_is_an_error_of_the_form(office: Client, data: bytes) -> None:
    assert 'class="errorlist"' in page(upload(office, data))


def test_file_longer_than_a_person_waits_for_is_an_error_of_the_form(office: Client, monkeypatch: Any) -> None:
    monkeypatch.setattr(admin, "MAX_ROWS", 1)
    assert 'class="errorlist"' in page(upload(office, make_sheet(row(1), row(2))))
    assert Order.objects.count() == 0


def test_form_without_a_file_or_with_nonsense_is_an_error_of_the_form(office: Client) -> None:
    assert page(office.post(URL, {"mode": "everything"})).count('class="errorlist"') == 2


def token(response: Any) -> str:
    found = re.search(r'name="token" value="([^"]+)"', page(response))
    assert found, "nothing to import"
    return found[1]


def imported(client: Client, kept: str) -> str:
    return page(client.post(URL, {"token": kept}))


def test_what_was_checked_is_imported_without_choosing_it_again(office: Client) -> None:
    checked = upload(office, make_sheet(row(1), row(2, quantity="零")), "check")
    assert Order.objects.count() == 0
    text = imported(office, token(checked))
    order = Order.objects.get()
    assert order.order_number in text
    assert "<td>零</td>" in text
    assert order.history.get().by_id == int(office.session["_auth_user_id"])
    assert CheckedSheet.objects.count() == 0


def test_the_encoding_that_was_named_counts_for_the_import_too(office: Client) -> None:
    data = make_sheet(row(1, customer="王堃")).decode().encode("big5hkscs")
    imported(office, token(upload(office, data, "check", encoding="big5hkscs")))
    assert Order.objects.get().customer.name == "王堃"


def test_import_pressed_twice_imports_once(office: Client) -> None:
    kept = token(upload(office, make_sheet(row(1)), "check"))
    imported(office, kept)
    assert 'class="errorlist nonfield"' in imported(office, kept)
    assert Order.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_two_who_take_a_sheet_at_once_one_gets_it() -> None:
    user = make_office()
    kept = CheckedSheet.keep(user, b"x", name="orders.csv", encoding="")
    taken = at_once(lambda clerk: CheckedSheet.take(clerk, kept.token), [user] * 4)
    assert sorted(sheet is not None for sheet in taken) == [False, False, False, True]


def test_the_same_file_checked_and_imported_again_makes_nothing_twice(office: Client) -> None:
    imported(office, token(upload(office, make_sheet(row(1)), "check")))
    assert 'name="token"' not in page(upload(office, make_sheet(row(1)), "check"))
    kept = token(upload(office, make_sheet(row(1), row(2)), "check"))
    imported(office, kept)
    assert Order.objects.count() == 2


def test_a_sheet_is_imported_by_nobody_but_who_checked_it(office: Client) -> None:
    kept = token(upload(office, make_sheet(row(1)), "check"))
    other = Client()
    other.force_login(make_office())
    assert 'class="errorlist nonfield"' in imported(other, kept)
    assert Order.objects.count() == 0
    imported(office, kept)
    assert Order.objects.count() == 1


def test_who_may_no_longer_add_orders_imports_nothing(office: Client) -> None:
    kept = token(upload(office, make_sheet(row(1)), "check"))
    User.objects.update(is_staff=False)
    assert office.post(URL, {"token": kept}).status_code in (302, 403)
    assert Order.objects.count() == 0


def test_another_check_takes_the_place_of_the_first(office: Client) -> None:
    first = token(upload(office, make_sheet(row(1)), "check"))
    second = token(upload(office, make_sheet(row(2)), "check"))
    assert CheckedSheet.objects.count() == 1
    assert 'class="errorlist nonfield"' in imported(office, first)
    imported(office, second)
    assert Order.objects.count() == 1


def test_a_sheet_is_kept_for_an_hour_and_no_longer(office: Client) -> None:
    kept = token(upload(office, make_sheet(row(1)), "check"))
    with time_machine.travel(datetime(2026, 11, 21, 5, 1, tzinfo=UTC)):
        assert 'class="errorlist nonfield"' in imported(office, kept)
    assert (CheckedSheet.objects.count(), Order.objects.count()) == (0, 0)


def test_old_sheets_are_pruned_although_nobody_comes_again(office: Client) -> None:
    upload(office, make_sheet(row(1)), "check")
    with time_machine.travel(datetime(2026, 11, 21, 5, 1, tzinfo=UTC)):
        call_command("prune_events")
    assert CheckedSheet.objects.count() == 0


@pytest.mark.parametrize("kept", ["", "x", "x" * 99, "\0", "%s"])
def test_a_forged_token_is_an_error_of_the_form(office: Client, kept: str) -> None:
    assert 'class="errorlist' in imported(office, kept)


def test_a_check_without_a_good_row_offers_nothing_to_import(office: Client) -> None:
    assert 'name="token"' not in page(upload(office, make_sheet(row(1, quantity="零")), "check"))
    assert CheckedSheet.objects.count() == 0


@pytest.mark.parametrize("name", ["orders.csv", "orders.xlsx", "orders.xls"])
def test_a_workbook_is_known_by_its_content_and_not_by_its_name(office: Client, name: str) -> None:
    make_20kg()
    data = make_xlsx([line.split(",") for line in make_sheet(row(1)).decode().split("\n")])
    page(office.post(URL, {"file": SimpleUploadedFile(name, data), "mode": "good"}))
    page(office.post(URL, {"file": SimpleUploadedFile(name, make_sheet(row(1), row(2))), "mode": "good"}))
    assert Order.objects.count() == 2


def test_without_products_one_sentence_leads_to_them(office: Client) -> None:
    data = make_sheet(*(row(number) for number in range(400)))
    text = page(office.post(URL, {"file": SimpleUploadedFile("orders.csv", data), "mode": "good"}))
    assert (text.count("還沒有商品"), "<td>商品</td>" in text) == (1, False)
    assert '<a href="/admin/catalogue/product/">' in text


def test_imports_without_end_are_told_to_wait_and_change_nothing(office: Client, rates: Callable[..., None]) -> None:
    rates(**{"import": "1/h"})
    make_20kg()
    sheets = [SimpleUploadedFile("orders.csv", make_sheet(row(number=str(number)))) for number in (1, 2)]
    answers = [office.post(URL, {"file": sheet, "mode": "good"}) for sheet in sheets]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert Order.objects.count() == 1
