from __future__ import annotations

from typing import Any

import pytest
from django.db import OperationalError
from django.http import HttpResponse
from django.test import Client

from health import failures as module
from health import receivers, samples
from health.failures import Failures, answered
from health.models import Minute
from orders.tests.factories import make_office
from pages import home

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def failures(monkeypatch: pytest.MonkeyPatch) -> Failures:
    own = Failures()
    for user in (module, receivers):
        monkeypatch.setattr(user, "failures", own)
    return own


def written() -> int:
    return sum(Minute.objects.values_list("failed_requests", flat=True))


def test_what_the_server_could_not_do_is_counted_and_what_the_client_did_wrong_is_not(failures: Failures) -> None:
    for path, status in (("/", 500), ("/api/v1/orders/", 503), ("/", 404), ("/", 200), ("/health/ready", 503)):
        answered(path, status)
    assert failures.pool.drain(10)
    failures.write()
    assert written() == 2


def test_a_view_that_breaks_is_counted(failures: Failures, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any) -> HttpResponse:
        raise ZeroDivisionError

    monkeypatch.setattr(home, "board", broken)
    client = Client(raise_request_exception=False)
    client.force_login(make_office())
    assert client.get("/").status_code == 500
    assert failures.pool.drain(10)
    assert written() == 1


def test_what_the_database_did_not_take_is_written_when_it_is_back(
    failures: Failures, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*args: Any) -> None:
        raise OperationalError

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(samples, "count_failed", away)
        for _ in range(3):
            answered("/", 500)
        assert failures.pool.drain(10)
    assert written() == 0
    receivers.keep(None)
    assert written() == 3
