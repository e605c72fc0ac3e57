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
from orders.tests.threads import run_concurrently

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


def page_text(response: Any) -> str:
    assert response.status_code == 200
    return str(response.content.decode())


def test_order_list_links_to_import(office: Client) -> None:
    assert URL in page_text(office.get("/admin/orders/order/"))


def test_anonymous_user_is_redirected_to_sign_in(client: Client) -> None:
    assert client.get(URL).status_code == 302


def test_valid_rows_are_imported_as_the_user(office: Client) -> None:
    text = page_text(upload(office, make_sheet(row(1), row(2, quantity="零"))))
    order = Order.objects.get()
    assert order.order_number in text
    assert "<td>3</td><td>數量</td><td>零</td>" in text
    assert (order.history.get().by_id, order.history.get().source) == (int(office.session["_auth_user_id"]), "import")


@pytest.mark.parametrize("mode", ["check", "all"])
def test_check_and_all_or_nothing_import_nothing(office: Client, mode: str) -> None:
    assert "<td>零</td>" in page_text(upload(office, make_sheet(row(1), row(2, quantity="零")), mode))
    assert Order.objects.count() == 0


def test_check_is_the_default_mode(office: Client) -> None:
    assert 'value="check" required id="id_mode_0" checked' in page_text(office.get(URL))


def test_cell_is_escaped(office: Client) -> None:
    text = page_text(upload(office, make_sheet(row(1, product="<script>alert(1)</script>"))))
    assert "&lt;script&gt;alert" in text
    assert "<script>alert" not in text


@pytest.mark.parametrize(("encoding", "created"), [("", 1), ("big5", 1), ("utf-8", 0)])
def test_encoding_can_be_chosen(office: Client, encoding: str, created: int) -> None:
    page_text(upload(office, make_sheet(row(1)).decode().encode("cp950"), encoding=encoding))
    assert Order.objects.count() == created


@pytest.mark.parametrize("data", [b"", b"\0" * 6_000_000, b"\0\xff" * 99, "編號,客戶\n".encode()])
def test_unreadable_file_shows_form_error(office: Client, data: bytes) -> None:
    assert 'class="errorlist"' in page_text(upload(office, data))


def test_too_long_file_shows_form_error(office: Client, monkeypatch: Any) -> None:
    monkeypatch.setattr(admin, "MAX_ROWS", 1)
    assert 'class="errorlist"' in page_text(upload(office, make_sheet(row(1), row(2))))
    assert Order.objects.count() == 0


def test_invalid_form_shows_errors(office: Client) -> None:
    assert page_text(office.post(URL, {"mode": "everything"})).count('class="errorlist"') == 2


def token_of(response: Any) -> str:
    found = re.search(r'name="token" value="([^"]+)"', page_text(response))
    assert found, "nothing to import"
    return found[1]


def import_checked(client: Client, checked_token: str) -> str:
    return page_text(client.post(URL, {"token": checked_token}))


def test_checked_sheet_is_imported_without_another_upload(office: Client) -> None:
    checked = upload(office, make_sheet(row(1), row(2, quantity="零")), "check")
    assert Order.objects.count() == 0
    text = import_checked(office, token_of(checked))
    order = Order.objects.get()
    assert order.order_number in text
    assert "<td>零</td>" in text
    assert order.history.get().by_id == int(office.session["_auth_user_id"])
    assert CheckedSheet.objects.count() == 0


def test_chosen_encoding_applies_to_later_import(office: Client) -> None:
    data = make_sheet(row(1, customer="王堃")).decode().encode("big5hkscs")
    import_checked(office, token_of(upload(office, data, "check", encoding="big5hkscs")))
    assert Order.objects.get().customer.name == "王堃"


def test_double_click_imports_once(office: Client) -> None:
    checked_token = token_of(upload(office, make_sheet(row(1)), "check"))
    import_checked(office, checked_token)
    assert 'class="errorlist nonfield"' in import_checked(office, checked_token)
    assert Order.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_concurrent_claims_of_sheet_accept_one() -> None:
    user = make_office()
    stored = CheckedSheet.store(user, b"x", name="orders.csv", encoding="")
    claimed = run_concurrently(lambda clerk: CheckedSheet.claim(clerk, stored.token), [user] * 4)
    assert sorted(sheet is not None for sheet in claimed) == [False, False, False, True]


def test_repeated_check_and_import_creates_no_duplicates(office: Client) -> None:
    import_checked(office, token_of(upload(office, make_sheet(row(1)), "check")))
    assert 'name="token"' not in page_text(upload(office, make_sheet(row(1)), "check"))
    checked_token = token_of(upload(office, make_sheet(row(1), row(2)), "check"))
    import_checked(office, checked_token)
    assert Order.objects.count() == 2


def test_only_the_user_who_checked_can_import(office: Client) -> None:
    checked_token = token_of(upload(office, make_sheet(row(1)), "check"))
    other = Client()
    other.force_login(make_office())
    assert 'class="errorlist nonfield"' in import_checked(other, checked_token)
    assert Order.objects.count() == 0
    import_checked(office, checked_token)
    assert Order.objects.count() == 1


def test_import_needs_permission_to_add_orders(office: Client) -> None:
    checked_token = token_of(upload(office, make_sheet(row(1)), "check"))
    User.objects.update(is_staff=False)
    assert office.post(URL, {"token": checked_token}).status_code in (302, 403)
    assert Order.objects.count() == 0


def test_next_check_replaces_stored_sheet(office: Client) -> None:
    first = token_of(upload(office, make_sheet(row(1)), "check"))
    second = token_of(upload(office, make_sheet(row(2)), "check"))
    assert CheckedSheet.objects.count() == 1
    assert 'class="errorlist nonfield"' in import_checked(office, first)
    import_checked(office, second)
    assert Order.objects.count() == 1


def test_stored_sheet_expires_after_an_hour(office: Client) -> None:
    checked_token = token_of(upload(office, make_sheet(row(1)), "check"))
    with time_machine.travel(datetime(2026, 11, 21, 5, 1, tzinfo=UTC)):
        assert 'class="errorlist nonfield"' in import_checked(office, checked_token)
    assert (CheckedSheet.objects.count(), Order.objects.count()) == (0, 0)


def test_expired_sheets_are_pruned(office: Client) -> None:
    upload(office, make_sheet(row(1)), "check")
    with time_machine.travel(datetime(2026, 11, 21, 5, 1, tzinfo=UTC)):
        call_command("prune_events")
    assert CheckedSheet.objects.count() == 0


@pytest.mark.parametrize("forged", ["", "x", "x" * 99, "\0", "%s"])
def test_forged_token_shows_form_error(office: Client, forged: str) -> None:
    assert 'class="errorlist' in import_checked(office, forged)


def test_check_without_valid_rows_offers_no_import(office: Client) -> None:
    assert 'name="token"' not in page_text(upload(office, make_sheet(row(1, quantity="零")), "check"))
    assert CheckedSheet.objects.count() == 0


@pytest.mark.parametrize("name", ["orders.csv", "orders.xlsx", "orders.xls"])
def test_workbook_is_recognised_by_content(office: Client, name: str) -> None:
    make_20kg()
    data = make_xlsx([line.split(",") for line in make_sheet(row(1)).decode().split("\n")])
    page_text(office.post(URL, {"file": SimpleUploadedFile(name, data), "mode": "good"}))
    page_text(office.post(URL, {"file": SimpleUploadedFile(name, make_sheet(row(1), row(2))), "mode": "good"}))
    assert Order.objects.count() == 2


def test_missing_products_show_one_error_with_link(office: Client) -> None:
    data = make_sheet(*(row(number) for number in range(400)))
    text = page_text(office.post(URL, {"file": SimpleUploadedFile("orders.csv", data), "mode": "good"}))
    assert (text.count("還沒有商品"), "<td>商品</td>" in text) == (1, False)
    assert '<a href="/admin/catalogue/product/">' in text


def test_imports_are_throttled(office: Client, rates: Callable[..., None]) -> None:
    rates(**{"import": "1/h"})
    make_20kg()
    sheets = [SimpleUploadedFile("orders.csv", make_sheet(row(number=str(number)))) for number in (1, 2)]
    answers = [office.post(URL, {"file": sheet, "mode": "good"}) for sheet in sheets]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert Order.objects.count() == 1
