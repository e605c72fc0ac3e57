"""Secrets that are tried one after the other: after so many the address has to wait, and nothing is looked up."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.tokens import default_token_generator
from django.test import Client
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from orders.tests.api.client import Api, codes
from orders.tests.factories import make_office, make_user

pytestmark = pytest.mark.django_db
MONITOR = "the-monitors-own-token"


def bearer(token: str, path: str = "/api/v1/orders/") -> Any:
    return Client(headers={"Authorization": f"Bearer {token}", "Accept-Language": "en"}).get(path)


@pytest.fixture(autouse=True)
def two_an_hour(rates: Any) -> None:
    rates(wrong_secret="2/h")


def test_forged_tokens_are_counted(django_assert_num_queries: Any) -> None:
    assert [bearer(f"forged{n}").status_code for n in range(2)] == [401, 401]
    answer = bearer("forged")
    assert codes(answer) == [("throttled", None)]
    assert (answer.status_code, int(answer["Retry-After"]) > 0) == (429, True)
    # Who comes with a right one from there is let in.
    assert Api(make_office()).get("orders/").status_code == 200


def test_wrong_refresh_tokens_are_counted() -> None:
    said = [Api().post("auth/token/refresh/", {"refresh": f"forged{n}"}).status_code for n in range(3)]
    assert said == [401, 401, 429]
    assert Api().post("auth/logout/", {"refresh": "forged"}).status_code == 429


def test_wrong_monitoring_tokens_are_counted(settings: Any) -> None:
    settings.MONITORING_TOKEN = MONITOR
    assert [bearer(f"wrong{n}", "/health/database").status_code for n in range(3)] == [401, 401, 429]
    assert bearer(MONITOR, "/health/database").status_code == 200


def test_wrong_links_to_set_a_password_are_counted(django_assert_num_queries: Any) -> None:
    user, client = make_user(), Client(headers={"Accept-Language": "en"})
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    right = f"/accounts/password/set/{uid}/{default_token_generator.make_token(user)}/"
    assert client.get(right).status_code == 302
    tried = [client.get(f"/accounts/password/set/{uid}/wrong{n}/") for n in range(3)]
    assert [answer.status_code for answer in tried] == [200, 200, 429]
    assert "Too many requests." in tried[2].content.decode()
    with django_assert_num_queries(0):
        assert Client().get(right)["Retry-After"]
