from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import SuspiciousOperation
from django.db import InterfaceError, OperationalError, connection
from django.test import Client, RequestFactory

from orders.tests.api.client import V1, codes, make_api
from orders.tests.factories import make_office
from web.api.errors import bad_request

pytestmark = pytest.mark.django_db
NOWHERE = "/no-such-page/<script>secret/"


@pytest.fixture
def office(client: Client) -> Client:
    client.force_login(make_office())
    client.raise_request_exception = False
    return client


def asked(client: Client, path: str, raised: Exception, **headers: str) -> tuple[Any, int]:
    """The answer of a site whose database raises this, and how often it was asked."""
    queries: list[str] = []

    def fail(_execute: Any, sql: str, *_rest: Any) -> None:
        queries.append(sql)
        raise raised

    with connection.execute_wrapper(fail):
        return client.get(path, headers=headers), len(queries)


@pytest.mark.parametrize("raised", [OperationalError("secret"), InterfaceError("secret")])
@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "The database is busy or away. Please try again in a moment."), ("zh-Hant", "資料庫")],
)
def test_a_page_says_that_the_database_is_away_and_does_not_ask_it(
    office: Client, raised: Exception, language: str, words: str
) -> None:
    for path in ("/", "/admin/", "/accounts/password/change/"):
        answer, queries = asked(office, path, raised, accept_language=language)
        assert (answer.status_code, queries) == (503, 1)
        page = answer.content.decode()
        assert (words in page, "幸福氣" in page, "secret" in page) == (True, True, False)


def test_what_else_breaks_is_said_with_the_number_it_has_in_the_log(office: Client) -> None:
    broken = RuntimeError("secret")
    answer, _ = asked(office, "/", broken, accept_language="en", x_request_id="number-4711")
    page = answer.content.decode()
    assert answer.status_code == 500
    assert ("Something went wrong" in page, "number-4711" in page, "secret" in page) == (True, True, False)


@pytest.mark.parametrize(
    ("raised", "status", "code"), [(OperationalError(), 503, "busy"), (RuntimeError(), 500, "error")]
)
def test_the_api_has_its_shape_also_where_a_page_stands_below_it(
    office: Client, raised: Exception, status: int, code: str
) -> None:
    answer, _ = asked(office, f"{V1}websocket/ws/test", raised)
    assert (answer.status_code, codes(answer)) == (status, [(code, None)])


def page_of(answer: Any, status: int) -> str:
    assert answer.status_code == status
    page: str = answer.content.decode()
    assert ("幸福氣" in page, "secret" in page.partition("<main")[2], "Traceback" in page) == (True, False, False)
    return page


@pytest.mark.parametrize(
    ("role", "path", "words"),
    [
        ("office", "/", "To the board"),
        ("driver", "/driver/", "To your stops"),
        ("customer", "/", "To your orders"),
        ("none", "/", "To your own page"),
        ("anonymous", "/accounts/login/", "Sign in"),
    ],
)
def test_a_wrong_address_says_where_to_go_next(client: Client, role: str, path: str, words: str) -> None:
    user = make_api(role).user
    if user is not None:
        client.force_login(user)
    page = page_of(client.get(NOWHERE, headers={"accept-language": "en"}), 404)
    content = page.partition("<main")[2]
    assert "There is no such page." in content
    assert f'<a href="{path}">{words}</a>' in content
    assert ("the link in our message" in content) is (role == "anonymous")


def test_a_wrong_address_is_told_in_chinese_to_whoever_asks_for_nothing_else(client: Client) -> None:
    assert 'lang="zh-hant"' in page_of(client.get(NOWHERE), 404)


def test_a_stranger_with_a_wrong_address_costs_no_query(client: Client, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        client.get(NOWHERE)


def test_a_wrong_address_without_the_database_says_that_it_is_away(office: Client) -> None:
    answer, _ = asked(office, NOWHERE, OperationalError("secret"))
    page_of(answer, 503)


def test_what_a_page_below_the_api_does_not_find_has_the_shape(client: Client) -> None:
    answer = client.post(f"{V1}notifications/callbacks/mitake/secret/")
    assert (answer.status_code, codes(answer)) == (404, [("not_found", None)])


@pytest.mark.parametrize(("language", "words"), [("en", "We do not understand this request."), ("zh-hant", "幸福氣")])
def test_a_name_that_is_not_the_sites_is_told_in_the_readers_language(
    client: Client, language: str, words: str
) -> None:
    headers = {"accept-language": language, "host": "secret.example", "x-request-id": "number-4711"}
    page = page_of(client.get("/", headers=headers), 400)
    assert (words in page, f'lang="{language}"' in page, "number-4711" in page) == (True, True, True)


def test_a_name_that_is_not_the_sites_is_told_in_the_shape(client: Client) -> None:
    answer = client.get(f"{V1}orders/", headers={"host": "secret.example"})
    assert (answer.status_code, codes(answer)) == (400, [("parse_error", None)])


def test_what_is_suspicious_is_told_without_what_it_was(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        page_of(bad_request(RequestFactory().get("/"), SuspiciousOperation("secret")), 400)


@pytest.mark.parametrize(("language", "words"), [("en", "Go back, load its page again"), ("zh-hant", "請返回上一頁")])
def test_a_form_from_elsewhere_is_told_how_to_be_sent_again(language: str, words: str) -> None:
    client = Client(enforce_csrf_checks=True)
    answer = client.post("/accounts/login/", {"username": "secret"}, headers={"accept-language": language})
    page = page_of(answer, 403)
    assert (words in page, f'lang="{language}"' in page) == (True, True)
