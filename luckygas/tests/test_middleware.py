from __future__ import annotations

import gc
from time import time
from typing import Any

import pytest
from channels.testing import ApplicationCommunicator
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from prometheus_client import REGISTRY

from luckygas.middleware import observe
from orders.tests.factories import PASSWORD, make_office, make_order
from realtime.tests.client import token_for
from web import request_id

HEADER = "X-Request-ID"


def access(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """What the lines of requests say beside their words."""
    lines = [vars(record) for record in caplog.records if record.name == "luckygas.access"]
    names = ("method", "route", "path", "status", "user_id")
    return [{name: line[name] for name in names if name in line} for line in lines]


def counted(**labels: str) -> float:
    return REGISTRY.get_sample_value("luckygas_http_requests_total", labels) or 0.0


def test_a_given_id_is_answered_and_another_is_made(client: Client) -> None:
    assert client.get("/health/live", headers={HEADER: "from-the-proxy-1"})[HEADER] == "from-the-proxy-1"
    made = {client.get("/health/live", headers={HEADER: "no\tid"})[HEADER] for _ in range(2)}
    assert len(made) == 2
    assert all(request_id.WELL_FORMED.fullmatch(one) for one in made)


@pytest.mark.parametrize("path", ["/health/live", "/api/v1/orders/", "/nowhere/"])
@pytest.mark.django_db
def test_every_answer_tells_the_servers_clock(client: Client, path: str) -> None:
    before = time()
    told = int(client.get(path)["X-Server-Time"]) / 1000
    assert before - 0.001 <= told <= time()


@pytest.mark.django_db
def test_a_request_has_one_line_with_its_route_and_no_path(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    order, office = make_order(), make_office()
    before = counted(method="GET", route="/api/v1/orders/<pk>/", status="200")
    caplog.clear()
    token = token_for(office)
    client.get(f"/api/v1/orders/{order.pk}/?secret=1", headers={"Authorization": f"Bearer {token}"})
    (line,) = access(caplog)
    assert line == {"method": "GET", "route": "/api/v1/orders/<pk>/", "status": 200, "user_id": office.pk}
    assert counted(method="GET", route="/api/v1/orders/<pk>/", status="200") == before + 1


@pytest.mark.django_db
def test_whom_a_session_is_of_is_told_where_it_was_asked(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    office = make_office()
    client.force_login(office)
    caplog.clear()
    client.get("/orders/new/")
    client.get("/health/live")
    assert [line["user_id"] for line in access(caplog)] == [office.pk, None]


@pytest.mark.django_db
def test_there_are_only_so_many_routes_and_methods(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    client.get("/wp-admin/" + "x" * 500)
    client.get("/static/nothing.css")
    client.generic("BREW", "/health/live")
    lines = [(line["method"], line["route"], line["status"]) for line in access(caplog)]
    assert lines == [("GET", "unmatched", 404), ("GET", "static", 404), ("other", "/health/live", 200)]
    assert access(caplog)[0]["path"] == ("/wp-admin/" + "x" * 500)[:200]


@pytest.mark.django_db
def test_a_password_is_in_no_line(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    office = make_office()
    client.post("/api/v1/auth/token/", {"username": office.username, "password": PASSWORD})
    assert len(access(caplog)) == 1
    assert PASSWORD not in caplog.text + str([vars(record) for record in caplog.records])


def test_the_id_is_known_within_and_forgotten_after() -> None:
    seen: list[str] = []

    def view(request: HttpRequest) -> HttpResponse:
        seen.append(request_id.current())
        return HttpResponse()

    answer = observe(view)(RequestFactory().get("/", headers={HEADER: "abcdefgh"}))
    assert (seen, answer[HEADER], request_id.current()) == (["abcdefgh"], "abcdefgh", "")


def test_what_breaks_even_the_page_for_errors_has_a_line_too(caplog: pytest.LogCaptureFixture) -> None:
    def view(request: HttpRequest) -> HttpResponse:
        raise ZeroDivisionError

    caplog.set_level("INFO")
    with pytest.raises(ZeroDivisionError):
        observe(view)(RequestFactory().get("/"))
    assert [line["status"] for line in access(caplog)] == [500]


@pytest.fixture
def site_application() -> Any:
    """Made here, before `caplog`: it sets the log up anew."""
    from luckygas.asgi import application

    gc.unfreeze()  # what it froze for a process of its own; this one has tests that count objects
    return application


async def post_too_much(application: Any, **headers: str) -> dict[bytes, bytes]:
    """The headers of the site's own refusal."""
    scope = {
        "type": "http", "method": "POST", "path": "/api/v1/orders/", "query_string": b"", "http_version": "1.1",
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip
    communicator = ApplicationCommunicator(application, scope)
    for _ in range(50):
        await communicator.send_input({"type": "http.request", "body": b" " * 65_536, "more_body": True})
    start = await communicator.receive_output(10)
    await communicator.receive_output(10)
    await communicator.wait()
    assert start["status"] == 413
    return dict(start["headers"])


@pytest.mark.parametrize("said", [{"content_length": "9" * 9}, {"transfer_encoding": "chunked"}])
async def test_a_body_that_is_too_large_is_accounted_for(
    said: dict[str, str], site_application: Any, caplog: pytest.LogCaptureFixture
) -> None:
    before = counted(method="POST", route="/api/v1/orders/", status="413")
    headers = await post_too_much(site_application, host="localhost", x_request_id="from-the-proxy-1", **said)
    assert (headers[b"x-request-id"], headers[b"x-content-type-options"]) == (b"from-the-proxy-1", b"nosniff")
    (line,) = access(caplog)
    assert (line["route"], line["status"]) == ("/api/v1/orders/", 413)
    assert counted(method="POST", route="/api/v1/orders/", status="413") == before + 1
