from __future__ import annotations

import csv
import io
from datetime import date, timedelta
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from django.test import Client

from orders.tests.factories import make_driver, make_order, make_product, make_staff, make_user

pytestmark = pytest.mark.django_db
PAGE = "/admin/orders/order/statistics/"
TODAY = date(2026, 11, 23)
ENGLISH = {"Accept-Language": "en"}


@pytest.fixture(autouse=True)
def clock() -> Any:
    with time_machine.travel("2026-11-23T04:00:00Z", tick=False):
        yield


@pytest.fixture
def office(client: Client) -> Client:
    client.force_login(make_user(is_staff=True, is_superuser=True))
    return client


def test_clerk_sees_statistics_without_csv_export(client: Client) -> None:
    assert client.get(PAGE).status_code == 302
    client.force_login(make_staff())
    shown = client.get(PAGE)
    assert (shown.status_code, "format=csv" in shown.content.decode()) == (200, False)
    assert client.get(PAGE, {"format": "csv"}).status_code == 403


def test_page_shows_last_thirty_days_by_default(office: Client) -> None:
    driver, product = make_driver(name="陳大明"), make_product(name="16kg 瓦斯桶")
    make_order("delivered", driver=driver, product=product, scheduled_date=TODAY)
    make_order("confirmed", scheduled_date=TODAY - timedelta(days=29))
    make_order("confirmed", scheduled_date=TODAY - timedelta(days=30))
    answer = office.get(PAGE, headers=ENGLISH)
    page = answer.content.decode()
    assert page.count("data:image/svg+xml;base64,") == 6
    for text in ("陳大明", "16kg 瓦斯桶", "2026-11-23", 'value="2026-10-25"'):
        assert text in page
    assert (answer.context_data or {})["figures"]["total"] == 2


def test_total_equals_sum_of_table(office: Client) -> None:
    for status in ("delivered", "confirmed", "cancelled", "cancelled"):
        make_order(status, scheduled_date=TODAY)
    answer = office.get(PAGE, headers=ENGLISH)
    context = answer.context_data or {}
    assert sum(cells[0] for _day, cells in context["sections"][0]["rows"]) == 2
    assert "<div><dt>Orders</dt><dd>2</dd></div>" in answer.content.decode()
    assert "<div><dt>Cancelled</dt><dd>2</dd></div>" in answer.content.decode()


def test_invalid_period_shows_error_and_default_period(office: Client) -> None:
    for query in ("from=2026-12-01&to=2026-11-01", "from=x", "from=2020-01-01", "to=9999-12-31", "from=%00"):
        answer = office.get(f"{PAGE}?{query}", headers=ENGLISH)
        assert (answer.status_code, b"errornote" in answer.content) == (200, True), query
        assert b'value="2026-10-25"' in answer.content


def test_csv_has_same_figures_and_escapes_formulas(office: Client) -> None:
    make_order("delivered", driver=make_driver(name="=陳"), scheduled_date=TODAY)
    answer = office.get(f"{PAGE}?from=2026-11-23&to=2026-11-23&format=csv", headers=ENGLISH)
    assert answer["Content-Disposition"] == 'attachment; filename="statistics-2026-11-23-2026-11-23.csv"'
    lines = list(csv.reader(io.StringIO(answer.content.decode()[1:])))
    assert lines[0][:3] == ["By day", "number of orders", "delivered"]
    assert lines[1][:3] == ["2026-11-23", "1", "1"]
    assert lines[4][0] == "'=陳"


def test_csv_renders_no_plots(office: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[bytes] = []
    monkeypatch.setattr("web.charts.data_url", drawn.append)
    assert (office.get(f"{PAGE}?format=csv").status_code, drawn) == (200, [])
    assert (office.get(PAGE).status_code, len(drawn)) == (200, 6)


def test_query_count_is_constant(office: Client, django_assert_num_queries: Any) -> None:
    make_order()
    office.get(PAGE)
    cache.clear()
    with django_assert_num_queries(7):  # one for the session, one for the account, five for the figures
        office.get(PAGE)
    for number in range(4):
        make_order("delivered", scheduled_date=TODAY - timedelta(days=number))
    cache.clear()
    with django_assert_num_queries(7):
        office.get(PAGE)


def test_list_and_index_link_to_statistics(office: Client) -> None:
    for path in ("/admin/", "/admin/orders/order/"):
        assert PAGE in office.get(path).content.decode()
