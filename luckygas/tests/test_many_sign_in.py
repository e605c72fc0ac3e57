"""While a whole office signs in at the same time, the site answers other requests."""

from __future__ import annotations

import threading

import pytest
import requests

from luckygas.testing.servers import running
from luckygas.testing.site import Site
from luckygas.tests.office import Office, SendRequest
from orders.tests.factories import PASSWORD, make_staff
from web.slow_work import MAX_AT_ONCE

USERS = 58


@pytest.mark.long
@pytest.mark.servers
@pytest.mark.django_db(transaction=True)
def test_other_requests_are_answered_during_many_sign_ins() -> None:
    with running(Site("uvicorn")) as site:
        office, names = Office(site), [make_staff().username for _ in range(USERS)]
        other_requests: tuple[SendRequest, ...] = (
            lambda: requests.get(f"{site.url}/health/ready", timeout=30),
            lambda: office.call("GET", "orders/"),
            lambda: requests.get(f"{site.url}/accounts/login/", timeout=30),
        )
        answers: list[requests.Response] = []

        def sign_in(name: str) -> None:
            form_data = {"username": name, "password": PASSWORD}
            answers.append(requests.post(f"{site.url}/api/v1/auth/token/", json=form_data, timeout=60))

        threads = [threading.Thread(target=sign_in, args=(name,)) for name in names]
        for thread in threads:
            thread.start()
        rounds = 0
        while any(thread.is_alive() for thread in threads):
            assert {send().status_code for send in other_requests} == {200}
            rounds += 1
    refused = [answer for answer in answers if answer.status_code != 200]
    assert rounds > 3
    assert {(answer.status_code, answer.headers["Retry-After"]) for answer in refused} == {(503, "5")}
    assert len(answers) - len(refused) >= MAX_AT_ONCE
