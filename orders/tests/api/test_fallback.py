from __future__ import annotations

from typing import Any

import pytest
from django.db import InterfaceError, OperationalError, connection
from django.test import Client

from orders.tests.api.client import V1, codes
from orders.tests.factories import make_office

pytestmark = pytest.mark.django_db


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
