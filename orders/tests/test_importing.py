from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from orders.admin import importing
from orders.models import Order
from orders.tests.factories import make_office
from orders.tests.sheets import make_20kg, make_sheet, row

pytestmark = pytest.mark.django_db
URL = "/admin/orders/order/import/"


@pytest.fixture(autouse=True)
def _two_days_before() -> Iterator[None]:
    with time_machine.travel(datetime(2026, 11, 21, 4, tzinfo=UTC)):
        yield


@pytest.fixture
def office(client: Client) -> Client:
    user = make_office()
    user.user_permissions.set(Permission.objects.filter(codename__in=["add_order", "view_order"]))
    client.force_login(user)
    return client


def upload(client: Client, data: bytes, mode: str = "good", **more: str) -> Any:
    make_20kg()
    return client.post(URL, {"file": SimpleUploadedFile("orders.csv", data), "mode": mode} | more)


def page(response: Any) -> str:
    assert response.status_code == 200
    return str(response.content.decode())


def test_list_of_orders_leads_to_the_import(office: Client) -> None:
    assert URL in page(office.get("/admin/orders/order/"))


def test_who_may_not_add_orders_sees_no_import(office: Client, client: Client) -> None:
    user = make_office()
    user.user_permissions.set(Permission.objects.filter(codename="view_order"))
    client.force_login(user)
    assert URL not in page(client.get("/admin/orders/order/"))
    assert client.get(URL).status_code == 403
    assert upload(client, make_sheet(row(1))).status_code == 403
    assert Order.objects.count() == 0


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
    monkeypatch.setattr(importing, "MAX_ROWS", 1)
    assert 'class="errorlist"' in page(upload(office, make_sheet(row(1), row(2))))
    assert Order.objects.count() == 0


def test_form_without_a_file_or_with_nonsense_is_an_error_of_the_form(office: Client) -> None:
    assert page(office.post(URL, {"mode": "everything"})).count('class="errorlist"') == 2


def test_imports_without_end_are_told_to_wait_and_change_nothing(office: Client, rates: Callable[..., None]) -> None:
    rates(**{"import": "1/h"})
    make_20kg()
    sheets = [SimpleUploadedFile("orders.csv", make_sheet(row(number=str(number)))) for number in (1, 2)]
    answers = [office.post(URL, {"file": sheet, "mode": "good"}) for sheet in sheets]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert Order.objects.count() == 1
