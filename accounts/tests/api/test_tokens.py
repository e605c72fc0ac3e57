from __future__ import annotations

from datetime import timedelta
from typing import Any

import jwt
import pytest
import time_machine
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.test import Client
from django.utils import timezone
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from rest_framework_simplejwt.tokens import AccessToken

from accounts.api.tokens import Authentication, Refresh, signed_out
from orders.tests.api.client import Api, codes, make_api
from orders.tests.factories import make_customer, make_driver, make_office, make_staff, make_user
from orders.tests.threads import run_concurrently

pytestmark = pytest.mark.django_db


def sign_in(user: User | None, password: str = "correct horse") -> Any:
    assert user is not None
    return Api().post("auth/token/", {"username": user.username, "password": password})


def claims(access: str) -> dict[str, Any]:
    payload: dict[str, Any] = jwt.decode(access, options={"verify_signature": False})
    return {name: payload[name] for name in ("role", "staff", "driver", "customer")}


def test_access_token_has_the_users_role_and_ids() -> None:
    driver, customer = make_driver(), make_customer(user=make_user())
    expected = {
        make_staff("clerk"): {"role": "office", "staff": "clerk", "driver": None, "customer": None},
        make_staff("owner"): {"role": "office", "staff": "owner", "driver": None, "customer": None},
        driver.user: {"role": "driver", "staff": None, "driver": driver.pk, "customer": None},
        customer.user: {"role": "customer", "staff": None, "driver": None, "customer": customer.pk},
    }
    for user, expected_claims in expected.items():
        assert claims(sign_in(user).json()["access"]) == expected_claims


def test_access_token_expires_after_fifteen_minutes() -> None:
    api = make_api("office")
    with time_machine.travel(timezone.now() + timedelta(minutes=14), tick=False):
        assert api.get("orders/").status_code == 200
    with time_machine.travel(timezone.now() + timedelta(minutes=16), tick=False):
        answer = api.get("orders/")
    assert (answer.status_code, codes(answer)) == (401, [("token_not_valid", None)])
    assert answer["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("token", ["x", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "", "x y"])
def test_malformed_token_is_401(token: str) -> None:
    answer = by_token(token).get("orders/")
    assert (answer.status_code, len(codes(answer))) == (401, 1)


def test_wrong_password_is_401() -> None:
    answer = sign_in(make_office(), "wrong")
    assert (answer.status_code, codes(answer)) == (401, [("no_active_account", None)])


@pytest.mark.parametrize(
    "form_data", [{}, {"username": "x"}, {"username": ["x"], "password": 1}, {"username": "", "password": ""}]
)
def test_incomplete_sign_in_is_400(form_data: dict[str, Any]) -> None:
    assert Api().post("auth/token/", form_data).status_code == 400


def test_refreshed_token_has_the_current_role() -> None:
    user = make_office()
    refresh = sign_in(user).json()["refresh"]
    user.is_staff = False
    user.save()
    driver = make_driver(user=user)
    renewed = Api().post("auth/token/refresh/", {"refresh": refresh}).json()
    assert claims(renewed["access"]) == {"role": "driver", "staff": None, "driver": driver.pk, "customer": None}


def test_password_change_revokes_access_tokens() -> None:
    user = make_office()
    api = by_token(sign_in(user).json()["access"])
    assert api.get("orders/").status_code == 200
    user.set_password("another horse")
    user.save()
    for answer in (api.get("orders/"), api.post("websocket/ticket/", {})):
        assert (answer.status_code, codes(answer)) == (401, [("token_not_valid", None)])


def test_deactivated_user_gets_no_token() -> None:
    user = make_office()
    refresh = sign_in(user).json()["refresh"]
    user.is_active = False
    user.save()
    for answer in (sign_in(user), Api().post("auth/token/refresh/", {"refresh": refresh})):
        assert (answer.status_code, codes(answer)) == (401, [("no_active_account", None)])


def test_deactivated_user_is_refused_with_an_unexpired_token() -> None:
    api = make_api("office")
    assert api.user is not None
    api.user.is_active = False
    api.user.save()
    assert api.get("orders/").status_code == 401


def test_refresh_token_of_a_deleted_user_is_401() -> None:
    user = make_office()
    refresh = Refresh.for_user(user)
    refresh["user_id"] = "0"
    assert Api().post("auth/token/refresh/", {"refresh": str(refresh)}).status_code == 401


def test_password_change_revokes_refresh_tokens() -> None:
    user = make_office()
    before = sign_in(user).json()["refresh"]
    user.set_password("another")
    user.save()
    answer = Api().post("auth/token/refresh/", {"refresh": before})
    assert (answer.status_code, codes(answer)) == (401, [("no_active_account", None)])
    after = sign_in(user, "another").json()["refresh"]
    assert Api().post("auth/token/refresh/", {"refresh": after}).status_code == 200


def test_tokens_of_one_sign_in_share_its_session() -> None:
    user = make_office()
    first, other = sign_in(user).json(), sign_in(user).json()
    renewed = Api().post("auth/token/refresh/", {"refresh": first["refresh"]}).json()
    names = [jwt.decode(pair["access"], options={"verify_signature": False})["session"] for pair in (first, renewed)]
    assert names[0] == names[1] != jwt.decode(other["access"], options={"verify_signature": False})["session"]


def by_token(access: str) -> Api:
    api = Api()
    api.client.credentials(HTTP_AUTHORIZATION=f"Bearer {access}")
    return api


def refresh_pair(refresh: str) -> Any:
    return Api().post("auth/token/refresh/", {"refresh": refresh})


def is_revoked(pair: dict[str, str]) -> bool:
    """Whether both tokens of the pair are refused."""
    api = by_token(pair["access"])
    answers = (api.get("orders/"), api.post("orders/", {}), api.post("websocket/ticket/", {}))
    return {answer.status_code for answer in (*answers, refresh_pair(pair["refresh"]))} == {401}


def test_logout_revokes_only_tokens_of_its_sign_in() -> None:
    user = make_office()
    first, other = sign_in(user).json(), sign_in(user).json()
    renewed = refresh_pair(first["refresh"]).json()
    assert Api().post("auth/logout/", {"refresh": renewed["refresh"]}).status_code == 200
    assert is_revoked(first)
    assert is_revoked(renewed)
    assert by_token(other["access"]).get("orders/").status_code == 200
    assert refresh_pair(other["refresh"]).status_code == 200


@pytest.mark.parametrize("path", ["auth/token/refresh/", "auth/logout/"])
def test_reused_refresh_token_revokes_its_family(path: str) -> None:
    user = make_office()
    first, other = sign_in(user).json(), sign_in(user).json()
    renewed = refresh_pair(first["refresh"]).json()
    assert by_token(renewed["access"]).get("orders/").status_code == 200
    again = Api().post(path, {"refresh": first["refresh"]})
    assert (again.status_code, codes(again)) == (401, [("token_not_valid", None)])
    assert is_revoked(renewed)
    assert by_token(other["access"]).get("orders/").status_code == 200


def test_revoked_family_sends_one_signal(django_capture_on_commit_callbacks: Any) -> None:
    sessions: list[str | None] = []

    def receive(sender: Any, session: str | None, **kwargs: Any) -> None:
        sessions.append(session)

    signed_out.connect(receive)
    refresh = sign_in(make_office()).json()["refresh"]
    for _ in range(4):
        refresh_pair(refresh)
    signed_out.disconnect(receive)
    assert sessions == [jwt.decode(refresh, options={"verify_signature": False})["session"]]


def test_user_and_revocation_are_loaded_in_one_query(django_assert_num_queries: Any) -> None:
    user = make_office()
    token = AccessToken(str(Refresh.for_user(user).access_token))  # type: ignore[arg-type]  # it takes text
    with django_assert_num_queries(1):
        assert Authentication().get_user(token) == user


@pytest.mark.django_db(transaction=True)
def test_one_of_four_concurrent_uses_of_a_refresh_token_succeeds() -> None:
    refresh = sign_in(make_office()).json()["refresh"]
    answers = run_concurrently(refresh_pair, [refresh] * 4)
    assert sorted(answer.status_code for answer in answers) == [200, 401, 401, 401]


@pytest.mark.django_db(transaction=True)
def test_refresh_token_works_again_after_a_failed_refresh(monkeypatch: pytest.MonkeyPatch) -> None:
    refresh = sign_in(make_office()).json()["refresh"]
    with monkeypatch.context() as broken:
        broken.setattr(Refresh, "outstand", lambda self: 1 / 0)
        assert refresh_pair(refresh).status_code == 500
    assert refresh_pair(refresh).status_code == 200


# Guessed secrets: after too many wrong ones an address gets 429 without a lookup.


MONITOR = "the-monitors-own-token"


def bearer(token: str, path: str = "/api/v1/orders/") -> Any:
    return Client(headers={"Authorization": f"Bearer {token}", "Accept-Language": "en"}).get(path)


@pytest.fixture
def two_wrong_secrets_per_hour(rates: Any) -> None:
    rates(wrong_secret="2/h")


@pytest.mark.usefixtures("two_wrong_secrets_per_hour")
def test_address_with_forged_tokens_is_throttled(django_assert_num_queries: Any) -> None:
    assert [bearer(f"forged{n}").status_code for n in range(2)] == [401, 401]
    answer = bearer("forged")
    assert codes(answer) == [("throttled", None)]
    assert (answer.status_code, int(answer["Retry-After"]) > 0) == (429, True)
    # A valid token from the same address still works.
    assert Api(make_office()).get("orders/").status_code == 200


@pytest.mark.usefixtures("two_wrong_secrets_per_hour")
def test_address_with_wrong_refresh_tokens_is_throttled() -> None:
    statuses = [Api().post("auth/token/refresh/", {"refresh": f"forged{n}"}).status_code for n in range(3)]
    assert statuses == [401, 401, 429]
    assert Api().post("auth/logout/", {"refresh": "forged"}).status_code == 429


@pytest.mark.usefixtures("two_wrong_secrets_per_hour")
def test_address_with_wrong_monitoring_tokens_is_throttled(settings: Any) -> None:
    settings.MONITORING_TOKEN = MONITOR
    assert [bearer(f"wrong{n}", "/health/database").status_code for n in range(3)] == [401, 401, 429]
    assert bearer(MONITOR, "/health/database").status_code == 200


@pytest.mark.usefixtures("two_wrong_secrets_per_hour")
def test_address_with_wrong_password_links_is_throttled(django_assert_num_queries: Any) -> None:
    user, client = make_user(), Client(headers={"Accept-Language": "en"})
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    valid_link = f"/accounts/password/set/{uid}/{default_token_generator.make_token(user)}/"
    assert client.get(valid_link).status_code == 302
    answers = [client.get(f"/accounts/password/set/{uid}/wrong{n}/") for n in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert "Too many requests." in answers[2].content.decode()
    with django_assert_num_queries(0):
        assert Client().get(valid_link)["Retry-After"]
