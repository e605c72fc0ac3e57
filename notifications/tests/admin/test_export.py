from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.test import AsyncClient, Client
from django.urls import reverse

from notifications import admin
from notifications.models import NotificationHistory
from notifications.states import Status
from notifications.tests.factories import make_message, make_quiet_order
from orders.tests.factories import make_customer, make_staff
from web.csv_export import MARK

pytestmark = pytest.mark.django_db
LIST = reverse("admin:notifications_notificationhistory_changelist")
EXPORT = reverse("admin:notifications_export")


def message(status: str = Status.FAILED, **fields: Any) -> NotificationHistory:
    order = make_quiet_order(customer=make_customer(phone="0912-345-678", name=fields.pop("name", "陳")))
    return make_message(status, order=order, **fields)


def sheet(client: Client, **query: str) -> list[dict[str, str]]:
    answer = client.get(EXPORT, query, headers={"accept-language": "en"})
    text = answer.getvalue().decode()
    assert text[0] == MARK
    return list(csv.DictReader(io.StringIO(text[1:])))


def test_the_sheet_holds_what_the_filters_show_with_masked_numbers(admin_client: Client) -> None:
    row = message(content="瓦斯, “已確認”\n第二行", status_reason="refused")
    message(Status.DELIVERED)
    [line] = sheet(admin_client, status__exact="failed", p="1")
    assert (line["recipient"], line["status"], line["reason"]) == ("0912-***-678", "Failed", "refused by the provider")
    assert (line["order"], line["text"]) == (str(row.order), row.content)


def test_no_cell_is_a_formula(admin_client: Client) -> None:
    message(name="=HYPERLINK(1)", content="@x", raw_status="-1", error_message=" +1")
    [line] = sheet(admin_client)
    found = (line["customer"], line["text"], line["provider's status"], line["error"])
    assert found == ("'=HYPERLINK(1)", "'@x", "'-1", "' +1")


def test_what_is_cut_off_is_said(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        message()
    monkeypatch.setattr(admin, "MOST_ROWS", 2)
    lines = admin_client.get(EXPORT, headers={"accept-language": "en"}).getvalue().decode().splitlines()
    assert len(lines) == 4
    assert "after 2 messages" in lines[-1]


def test_what_just_fits_is_not_cut_off(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    message()
    monkeypatch.setattr(admin, "MOST_ROWS", 1)
    assert len(admin_client.get(EXPORT).getvalue().decode().splitlines()) == 2


def test_clerks_export_no_messages() -> None:
    client = Client()
    client.force_login(make_staff("clerk"))
    assert EXPORT not in client.get(LIST).content.decode()
    assert client.get(EXPORT).status_code == 403


@pytest.mark.parametrize("days", [{"created_at__year": "9999"}, {"created_at__year": "1", "created_at__month": "1"}])
def test_a_filter_that_is_none_is_no_500(admin_client: Client, days: dict[str, str]) -> None:
    assert admin_client.get(EXPORT, days).status_code < 500


@pytest.mark.django_db(transaction=True)
async def test_it_is_streamed_by_the_server_of_production_too(admin_user: Any) -> None:
    client = AsyncClient()
    await client.aforce_login(admin_user)
    answer: Any = await client.get(EXPORT)
    assert answer.is_async
    assert b"".join([part async for part in answer]).startswith(MARK.encode())
