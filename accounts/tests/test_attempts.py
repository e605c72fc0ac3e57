"""Wrong passwords, on the page and on `auth/token/`: counts, locks by name and address, messages and the log."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from accounts import attempts
from accounts.api.tokens import Refresh
from orders.tests.factories import make_office, make_staff

pytestmark = pytest.mark.django_db
LIMIT = 5
HERE, ELSEWHERE = "203.0.113.7", "198.51.100.9"


def page(user: User, password: str = "wrong", address: str = HERE, path: str = "/accounts/login/") -> Any:
    client = Client(REMOTE_ADDR=address, headers={"accept-language": "en"})
    return client.post(path, {"username": user.username, "password": password})


def token(user: User, password: str = "wrong", address: str = HERE, **headers: str) -> Any:
    client = Client(REMOTE_ADDR=address, headers={"accept-language": "en"} | headers)
    return client.post("/api/v1/auth/token/", {"username": user.username, "password": password}, "application/json")


def lock(user: User, address: str = HERE) -> None:
    for _ in range(LIMIT):
        token(user, address=address)


def test_sign_in_page_says_that_the_name_is_locked() -> None:
    user = make_office()
    shown = [page(user) for _ in range(LIMIT)]
    assert [answer.status_code for answer in shown] == [200] * (LIMIT - 1) + [429]
    assert "try again in 15 minutes" in shown[-1].content.decode()
    assert shown[-1]["Retry-After"] == "900"


def test_right_password_is_refused_during_a_lock() -> None:
    user = make_office()
    lock(user)
    answer = page(user, "correct horse")
    assert (answer.status_code, "try again in 15 minutes" in answer.content.decode()) == (429, True)
    assert "sessionid" not in answer.cookies


def test_token_view_reports_the_lock_in_the_api_format() -> None:
    user = make_office()
    lock(user)
    answer = token(user, "correct horse")
    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["code"], answer["Retry-After"]) == (429, "locked", "900")
    assert "try again in 15 minutes" in error["detail"]


def test_page_and_token_view_count_attempts_together() -> None:
    user = make_office()
    for _ in range(3):
        token(user)
    assert [page(user).status_code for _ in range(2)] == [200, 429]


def test_lock_applies_to_one_address_only() -> None:
    user = make_office()
    lock(user, ELSEWHERE)
    assert page(user, "correct horse").status_code == 302


def test_another_name_from_the_same_office_is_not_locked() -> None:
    lock(make_office())
    assert token(make_office(), "correct horse").status_code == 200


def test_lock_expires_and_attempts_do_not_extend_it() -> None:
    user, now = make_office(), timezone.now()
    lock(user)
    with time_machine.travel(now + timedelta(minutes=14)):
        assert token(user, "correct horse").status_code == 429
    with time_machine.travel(now + timedelta(minutes=16)):
        assert token(user, "correct horse").status_code == 200


def test_successful_sign_in_resets_the_count() -> None:
    user = make_office()
    for _ in range(3):
        for _ in range(LIMIT - 1):
            token(user)
        assert token(user, "correct horse").status_code == 200


def test_owner_sees_a_locked_name_and_unlocks_it() -> None:
    user, client = make_office(), Client(headers={"accept-language": "en"})
    lock(user)
    client.force_login(make_office(is_superuser=True))
    shown = client.get("/admin/axes/accessattempt/").content.decode()
    assert user.username in shown
    assert HERE in shown
    attempt = AccessAttempt.objects.get()
    client.post(f"/admin/axes/accessattempt/{attempt.pk}/delete/", {"post": "yes"})
    assert token(user, "correct horse").status_code == 200


def test_list_shows_which_attempts_are_locked() -> None:
    user, client, now = make_office(), Client(), timezone.now()
    for browser in ("A", "A", "A", "B", "B"):
        token(user, **{"user-agent": browser})
    token(make_office(), **{"user-agent": "A"})
    client.force_login(make_office(is_superuser=True))

    def counts_of_icons() -> list[int]:
        page = client.get("/admin/axes/accessattempt/").content.decode()
        return [page.count(f"icon-{locked}.svg") for locked in ("yes", "no")]

    assert counts_of_icons() == [2, 1]
    with time_machine.travel(now + timedelta(minutes=16)):
        assert counts_of_icons() == [0, 3]


def test_clerk_cannot_open_the_list_of_attempts() -> None:
    client = Client()
    client.force_login(make_staff("clerk"))
    assert client.get("/admin/axes/accessattempt/").status_code == 403


def test_forged_forwarding_header_does_not_evade_the_lock() -> None:
    user = make_office()
    for number in range(LIMIT):
        token(user, **{"x-forwarded-for": f"192.0.2.{number}"})
    assert token(user, "correct horse", **{"x-forwarded-for": "192.0.2.99"}).status_code == 429


def test_lock_behind_a_proxy_applies_to_the_forwarded_address(settings: Any) -> None:
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"NUM_PROXIES": 1}
    user = make_office()
    for _ in range(LIMIT):
        token(user, **{"x-forwarded-for": f"made-up, {ELSEWHERE}"})
    assert token(user, "correct horse", **{"x-forwarded-for": HERE}).status_code == 200
    assert token(user, "correct horse", **{"x-forwarded-for": ELSEWHERE}).status_code == 429


def test_issued_token_works_during_a_lock() -> None:
    user = make_office()
    access = Refresh.for_user(user).access_token
    lock(user)
    assert Client(headers={"authorization": f"Bearer {access}"}).get("/api/v1/orders/").status_code == 200


@pytest.mark.parametrize("name", ["x" * 5000, "王小姐", "a\nb", "'--", ""])
def test_unusual_name_gives_no_500(name: str) -> None:
    user = User(username=name)
    assert token(user).status_code in (400, 401)
    assert page(user).status_code == 200


def test_log_masks_name_and_address(caplog: pytest.LogCaptureFixture) -> None:
    user = make_office(username="wang@example.com")
    caplog.set_level(logging.INFO)
    for _ in range(LIMIT + 1):
        token(user, "s3cret")
    page(user, "s3cret")
    records = [record for record in caplog.records if record.name != "luckygas.access"]
    assert {record.name for record in records} == {"accounts.attempts"}
    assert records[0].getMessage() == "A sign-in failed: w***m from 203.0.113.*."
    assert records[-1].getMessage() == "A sign-in is locked: w***m from 203.0.113.*."
    assert not any(word in caplog.text for word in ("s3cret", user.username, HERE))
    stored = [str(value) for row in AccessAttempt.objects.values_list() for value in row]
    assert not any("s3cret" in value for value in stored)


@pytest.mark.parametrize(
    ("name", "shown"), [("wang", "w***g"), ("ann", "***"), ("", "***"), ("a\nbcd", "***"), ("王小明先生", "王***生")]
)
def test_name_is_masked(name: str, shown: str) -> None:
    assert attempts.masked_name(name) == shown
