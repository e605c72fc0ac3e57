from __future__ import annotations

import io
from pathlib import Path
from typing import Any
from unittest import mock

import psycopg
import pytest
import rest_framework
from babel.messages.extract import extract
from django.core.exceptions import SuspiciousOperation, ValidationError
from django.db import DataError, IntegrityError, InterfaceError, InternalError, OperationalError, connection
from django.test import Client, RequestFactory
from django.utils import translation

from orders.api.orders import Orders
from orders.models.order import VersionConflict
from orders.tests.api.client import V1, Api, codes, make_api
from orders.tests.factories import make_office, make_user
from web.api.drf_translations import TEXTS
from web.api.errors import UnknownPath, bad_request
from web.refusals import Refusal

pytestmark = pytest.mark.django_db


def test_log_has_the_error_code_instead_of_escaped_text(caplog: pytest.LogCaptureFixture) -> None:
    answer_to(RuntimeError("secret"))
    messages = [record.getMessage() for record in caplog.records if record.name == "django.request"]
    assert messages == ["error: /api/v1/orders/"]


def answer_to(raised: Exception) -> Any:
    """The answer to a request whose view raises this exception."""
    with mock.patch.object(Orders, "get_queryset", side_effect=raised):
        return make_api("office").get("orders/")


def with_state(code: str) -> InternalError:
    """An error with this SQLSTATE, as Django raises it from psycopg."""
    error = InternalError("secret")
    error.__cause__ = psycopg.errors.lookup(code)()
    return error


@pytest.mark.parametrize(
    ("raised", "status", "kind", "code", "attr"),
    [
        (Refusal("no_way", "No.", attr="x"), 400, "validation_error", "no_way", "x"),
        (Refusal("no_way", "No.", attr="x", status=403), 403, "client_error", "no_way", "x"),
        (VersionConflict(7), 409, "client_error", "version_conflict", "version"),
        (ValidationError("No.", code="odd"), 400, "validation_error", "odd", None),
        (ValidationError({"phone": ["No."]}), 400, "validation_error", "invalid", "phone"),
        (SuspiciousOperation(), 400, "client_error", "parse_error", None),
        (DataError("out of range"), 400, "client_error", "invalid", None),
        (OverflowError(), 400, "client_error", "invalid", None),
        (IntegrityError("one_command_a_ref"), 409, "client_error", "conflict", None),
        (OperationalError("database is locked"), 503, "server_error", "busy", None),
        (InterfaceError("connection already closed"), 503, "server_error", "busy", None),
        (with_state("25P03"), 503, "server_error", "busy", None),
        (with_state("25006"), 503, "server_error", "busy", None),
        (with_state("25P02"), 500, "server_error", "error", None),
        (RuntimeError("secret"), 500, "server_error", "error", None),
    ],
)
def test_every_exception_has_the_error_format(raised: Exception, status: int, kind: str, code: str, attr: str) -> None:
    answer = answer_to(raised)
    assert (answer.status_code, answer.json()["type"], codes(answer)) == (status, kind, [(code, attr)])
    assert b"secret" not in answer.content
    assert b"Traceback" not in answer.content


def test_conflict_has_the_current_version_and_busy_has_retry_after() -> None:
    assert answer_to(VersionConflict(7))["ETag"] == '"7"'
    assert answer_to(OperationalError())["Retry-After"] == "1"


@pytest.mark.parametrize("path", ["", "nothing/", "orders", "orders/1/nothing/", "orders/1/status", "%00/", "訂單/"])
@pytest.mark.parametrize("method", ["get", "post", "delete"])
def test_unknown_path_is_404_in_the_error_format(path: str, method: str) -> None:
    answer = getattr(Api().client, method)(V1 + path)
    assert (answer.status_code, codes(answer)) == (404, [("not_found", None)])


def test_response_lists_at_most_fifty_errors() -> None:
    answer = make_api("office").post("orders/bulk-update/", {"ids": [-1] * 200, "priority": "urgent"})
    assert len(codes(answer)) == 50


@pytest.mark.parametrize(
    ("language", "detail"), [("en", "Not found."), ("zh-Hant", "找不到資源。"), ("", "找不到資源。")]
)
def test_detail_is_in_the_language_of_the_caller(language: str, detail: str) -> None:
    api = make_api("office")
    answer = api.client.get(V1 + "orders/999999/", headers={"accept-language": language})
    assert answer.json()["errors"][0]["detail"] == detail


def test_framework_errors_have_the_error_format() -> None:
    client = make_api("office").client
    form = client.post(V1 + "orders/", b"a=1", content_type="application/x-www-form-urlencoded")
    assert (form.status_code, codes(form)) == (415, [("unsupported_media_type", None)])
    xml = client.get(V1 + "orders/", headers={"accept": "text/xml"})
    assert (xml.status_code, codes(xml)) == (406, [("not_acceptable", None)])


def test_session_without_csrf_token_is_refused() -> None:
    user = make_user(is_staff=True)
    api = Api()
    api.client = type(api.client)(enforce_csrf_checks=True)
    api.client.force_login(user)
    answer = api.post("orders/", {})
    assert (answer.status_code, codes(answer)) == (403, [("permission_denied", None)])


def test_fallback_for_unknown_paths_is_not_in_the_schema() -> None:
    assert UnknownPath.schema is None


NOWHERE = "/no-such-page/<script>secret/"


@pytest.fixture
def office(client: Client) -> Client:
    client.force_login(make_office())
    client.raise_request_exception = False
    return client


def get_with_failing_queries(client: Client, path: str, raised: Exception, **headers: str) -> tuple[Any, int]:
    """The response while every query raises `raised`, and the number of queries."""
    queries: list[str] = []

    def fail(_execute: Any, sql: str, *_rest: Any) -> None:
        queries.append(sql)
        raise raised

    with connection.execute_wrapper(fail):
        return client.get(path, headers=headers), len(queries)


@pytest.mark.parametrize("raised", [OperationalError("secret"), InterfaceError("secret")])
@pytest.mark.parametrize(
    ("language", "text"),
    [("en", "The database is busy or unavailable. Please try again in a moment."), ("zh-Hant", "資料庫")],
)
def test_page_is_503_after_one_failed_query_when_the_database_is_down(
    office: Client, raised: Exception, language: str, text: str
) -> None:
    for path in ("/", "/admin/", "/accounts/password/change/"):
        answer, queries = get_with_failing_queries(office, path, raised, accept_language=language)
        assert (answer.status_code, queries) == (503, 1)
        page = answer.content.decode()
        assert (text in page, "幸福氣" in page, "secret" in page) == (True, True, False)


def test_error_page_shows_the_request_id_of_the_log(office: Client) -> None:
    broken = RuntimeError("secret")
    answer, _ = get_with_failing_queries(office, "/", broken, accept_language="en", x_request_id="number-4711")
    page = answer.content.decode()
    assert answer.status_code == 500
    assert ("Something went wrong" in page, "number-4711" in page, "secret" in page) == (True, True, False)


@pytest.mark.parametrize(
    ("raised", "status", "code"), [(OperationalError(), 503, "busy"), (RuntimeError(), 500, "error")]
)
def test_page_below_the_api_answers_errors_in_the_api_format(
    office: Client, raised: Exception, status: int, code: str
) -> None:
    answer, _ = get_with_failing_queries(office, f"{V1}websocket/ws/test", raised)
    assert (answer.status_code, codes(answer)) == (status, [(code, None)])


def page_of(answer: Any, status: int) -> str:
    """The HTML of our error page with this status. Checks that it shows no details of the error."""
    assert answer.status_code == status
    page: str = answer.content.decode()
    assert ("幸福氣" in page, "secret" in page.partition("<main")[2], "Traceback" in page) == (True, False, False)
    return page


@pytest.mark.parametrize(
    ("role", "path", "text"),
    [
        ("office", "/", "Go to the board"),
        ("driver", "/driver/", "Go to your stops"),
        ("customer", "/", "Go to your orders"),
        ("none", "/", "Go to your page"),
        ("anonymous", "/accounts/login/", "Sign in"),
    ],
)
def test_404_page_links_to_the_next_step(client: Client, role: str, path: str, text: str) -> None:
    user = make_api(role).user
    if user is not None:
        client.force_login(user)
    page = page_of(client.get(NOWHERE, headers={"accept-language": "en"}), 404)
    content = page.partition("<main")[2]
    assert "There is no page at this address." in content
    assert f'<a href="{path}">{text}</a>' in content
    assert ("the link in our message" in content) is (role == "anonymous")


def test_404_page_is_chinese_by_default(client: Client) -> None:
    assert 'lang="zh-hant"' in page_of(client.get(NOWHERE), 404)


def test_404_for_an_anonymous_user_needs_no_query(client: Client, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        client.get(NOWHERE)


def test_404_without_the_database_is_503(office: Client) -> None:
    answer, _ = get_with_failing_queries(office, NOWHERE, OperationalError("secret"))
    page_of(answer, 503)


def test_404_of_a_page_below_the_api_has_the_error_format(client: Client) -> None:
    answer = client.post(f"{V1}notifications/callbacks/mitake/secret/")
    assert (answer.status_code, codes(answer)) == (404, [("not_found", None)])


@pytest.mark.parametrize(("language", "text"), [("en", "We could not process this request."), ("zh-hant", "幸福氣")])
def test_wrong_host_is_refused_in_the_readers_language(client: Client, language: str, text: str) -> None:
    headers = {"accept-language": language, "host": "secret.example", "x-request-id": "number-4711"}
    page = page_of(client.get("/", headers=headers), 400)
    assert (text in page, f'lang="{language}"' in page, "number-4711" in page) == (True, True, True)


def test_wrong_host_is_refused_in_the_error_format(client: Client) -> None:
    answer = client.get(f"{V1}orders/", headers={"host": "secret.example"})
    assert (answer.status_code, codes(answer)) == (400, [("parse_error", None)])


def test_suspicious_request_is_refused_without_details(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        page_of(bad_request(RequestFactory().get("/"), SuspiciousOperation("secret")), 400)


@pytest.mark.parametrize(("language", "text"), [("en", "Please go back, reload the page"), ("zh-hant", "請返回上一頁")])
def test_csrf_failure_page_says_how_to_send_the_form_again(language: str, text: str) -> None:
    client = Client(enforce_csrf_checks=True)
    answer = client.post("/accounts/login/", {"username": "secret"}, headers={"accept-language": language})
    page = page_of(answer, 403)
    assert (text in page, f'lang="{language}"' in page) == (True, True)


ROOT = Path(rest_framework.__file__).parent


def test_each_listed_text_is_in_drf() -> None:
    source = "".join(path.read_text() for path in ROOT.glob("*.py"))
    assert [text for text in TEXTS if text.replace('"', '\\"') not in source and text not in source] == []


@pytest.mark.parametrize("module", ["exceptions", "fields", "relations", "serializers", "validators"])
def test_all_drf_texts_are_translated(module: str) -> None:
    source = io.BytesIO((ROOT / f"{module}.py").read_bytes())
    texts = [str(text) for _line, text, *_rest in extract("python", source, keywords={"_": None})]
    with translation.override("zh-hant"):
        assert [text for text in texts if translation.gettext(text) == text] == []
