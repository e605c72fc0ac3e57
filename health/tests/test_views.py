from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from unittest import mock

import pytest
from django.test import Client
from django.utils import timezone

from luckygas.testing.servers import free_port
from orders.tests.factories import make_driver, make_office, make_order
from pages import office as office_pages
from web.tests.metrics_rows import make_minute, nothing_unwritten

pytestmark = pytest.mark.django_db(transaction=True)
PAGE = "/health/dashboard/"


@pytest.fixture
def office(client: Client) -> Client:
    client.force_login(make_office())
    return client


def plots(page: str) -> list[str]:
    return re.findall(r'src="(/health/dashboard/\w+/\w+\.svg\?v=\w+)"', page)


def test_it_is_for_staff(client: Client) -> None:
    assert client.get(PAGE).headers["Location"].startswith("/accounts/login/")
    client.force_login(make_driver().user)
    for path in (PAGE, "/health/dashboard/hour/events.svg"):
        answer = client.get(path)
        assert (answer.status_code, "幸福氣" in answer.content.decode()) == (403, True)


def test_it_says_what_is_wrong_and_shows_the_figures(office: Client, settings: Any) -> None:
    make_order()
    nothing_unwritten()
    headers = {"Accept-Language": "en"}
    page = office.get(PAGE, headers=headers).content.decode()
    assert "Everything works." in page
    assert len(plots(page)) == 12
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    make_minute(timezone.now(), {"luckygas_http_requests_total GET / 500": 2})
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(office_pages, "board", None)
        office.raise_request_exception = False
        assert office.get("/").status_code == 500
    page = office.get(PAGE, headers=headers).content.decode()
    assert "Redis does not answer." in page
    assert "3 requests failed in the last ten minutes." in page


def test_a_picture_has_another_address_once_it_is_another(office: Client) -> None:
    # A minute later there is one more minute in it.
    with mock.patch.object(timezone, "now", return_value=timezone.now()):
        before = plots(office.get(PAGE).content.decode())
        assert plots(office.get(PAGE).content.decode()) == before
    gauges = {"luckygas_websocket_connections office ws": 4}
    make_minute(timezone.now() - timedelta(minutes=1), {"luckygas_events_numbered_total": 60}, gauges)
    after = plots(office.get(PAGE).content.decode())
    changed = {url.split("?")[0] for url in set(after) - set(before)}
    assert {"/health/dashboard/hour/connections.svg", "/health/dashboard/hour/events.svg"} <= changed


def test_a_picture_runs_nothing_and_loads_nothing(office: Client) -> None:
    for url in plots(office.get(PAGE).content.decode()):
        answer = office.get(url)
        assert (answer.status_code, answer["Content-Type"]) == (200, "image/svg+xml")
        assert "default-src 'none'" in answer["Content-Security-Policy"]
        assert not re.search(r"(href|src)=.?(https?:)?//|@import|url\(", answer.content.decode())


def test_an_unknown_picture_is_404(office: Client) -> None:
    for path in ("hour/nothing.svg", "week/events.svg"):
        assert office.get(PAGE + path).status_code == 404


def test_it_is_linked_from_the_menus(office: Client) -> None:
    for path in ("/", "/admin/"):
        assert PAGE in office.get(path).content.decode()
