"""A process hashes passwords one at a time and holds no database connection meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher, check_password, make_password
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import Client

from accounts import backends
from orders.tests.api.client import Api, codes
from orders.tests.factories import PASSWORD, make_user
from orders.tests.threads import run_concurrently

pytestmark = pytest.mark.django_db(transaction=True)
SIGN_IN = "/accounts/login/"


@contextmanager
def full_queue() -> Iterator[None]:
    """Leaves no free slot in the queue of hashing."""
    with mock.patch.object(backends.hashing, "slots", threading.BoundedSemaphore(1)) as slots:
        slots.acquire()
        yield


def connections_while_hashing(work: Any) -> list[bool]:
    """Runs `work`. Returns for each hash whether the thread had a connection meanwhile."""
    real, has_connection = PBKDF2PasswordHasher.encode, list[bool]()

    def encode(*arguments: Any) -> str:
        has_connection.append(connection.connection is not None)
        return real(*arguments)

    with mock.patch.object(PBKDF2PasswordHasher, "encode", encode):
        work()
    return has_connection


def sign_in(password: str = PASSWORD) -> Any:
    return Client().post(SIGN_IN, {"username": make_user().username, "password": password})


def change_password() -> None:
    client, user = Client(), make_user()
    client.force_login(user)
    new = {"old_password": PASSWORD, "new_password1": "another horse 7", "new_password2": "another horse 7"}
    assert client.post("/accounts/password/change/", new).status_code == 302


@pytest.mark.parametrize(
    ("work", "hashes"),
    [
        (sign_in, 1),
        (lambda: sign_in("wrong"), 1),
        (lambda: Client().post(SIGN_IN, {"username": "nobody", "password": "x"}), 1),
        (lambda: Api().post("auth/token/", {"username": make_user().username, "password": PASSWORD}), 1),
        (change_password, 2),
    ],
    ids=["page", "wrong", "nobody", "token", "change"],
)
def test_no_connection_is_held_while_a_password_is_hashed(work: Any, hashes: int) -> None:
    assert connections_while_hashing(work) == [False] * hashes


def test_passwords_are_hashed_one_at_a_time() -> None:
    running, concurrent = [0], list[int]()
    real = PBKDF2PasswordHasher.encode

    def encode(hasher: PBKDF2PasswordHasher, password: str, salt: str, iterations: int | None = None) -> str:
        running[0] += 1
        concurrent.append(running[0])
        password_hash: str = real(hasher, password, salt, 20_000)
        running[0] -= 1
        return password_hash

    with mock.patch.object(PBKDF2PasswordHasher, "encode", encode):
        run_concurrently(make_password, ["x"] * 6)
    assert concurrent == [1] * 6


def test_sign_in_with_too_many_waiting_is_503() -> None:
    user = make_user()
    form_data = {"username": user.username, "password": PASSWORD}
    with full_queue():
        page = Client(headers={"Accept-Language": "en"}).post(SIGN_IN, form_data)
        token = Api().post("auth/token/", form_data)
    assert (page.status_code, page["Retry-After"]) == (503, "5")
    assert "Many people are signing in." in page.content.decode()
    assert (token.status_code, token["Retry-After"], codes(token)) == (503, "5", [("busy", None)])
    # The refused sign-ins do not count as wrong passwords.
    assert Client().post(SIGN_IN, form_data).status_code == 302


def test_password_change_with_too_many_waiting_is_503() -> None:
    client, user = Client(raise_request_exception=False, headers={"Accept-Language": "en"}), make_user()
    client.force_login(user)
    with full_queue():
        new = {"old_password": PASSWORD, "new_password1": "another horse 7", "new_password2": "another horse 7"}
        page = client.post("/accounts/password/change/", new)
    assert (page.status_code, page["Retry-After"]) == (503, "5")
    assert "Many people are signing in." in page.content.decode()
    assert check_password(PASSWORD, User.objects.get(pk=user.pk).password)


def test_hashing_in_a_transaction_ignores_the_queue() -> None:
    with full_queue(), transaction.atomic():
        make_user().set_password("x")


def test_older_password_hashes_still_work() -> None:
    old = PBKDF2PasswordHasher().encode(PASSWORD, "salt")
    assert check_password(PASSWORD, old)
