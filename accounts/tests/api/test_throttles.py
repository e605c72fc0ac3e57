"""Throttling by role and scope, in the shared cache and in the process. Tests without `rates` have no limits."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import caches
from django.utils import timezone

from orders.tests.api.client import Api, codes, make_api
from orders.tests.factories import make_product
from web import caching, flags, throttling

pytestmark = pytest.mark.django_db
Rates = Callable[..., None]


def statuses(count: int, call: Callable[[], Any]) -> list[int]:
    return [call().status_code for _ in range(count)]


@pytest.mark.parametrize("role", ["office", "driver", "customer"])
def test_each_role_has_a_rate_of_its_own(rates: Rates, role: str) -> None:
    rates(office="5/h", driver="4/h", customer="3/h")
    limit = {"office": 5, "driver": 4, "customer": 3}[role]
    api = make_api(role)
    assert statuses(limit + 1, lambda: api.get("orders/")) == [200] * limit + [429]


def test_users_are_counted_separately(rates: Rates) -> None:
    rates(office="1/h")
    first, second = make_api("office"), make_api("office")
    assert [api.get("orders/").status_code for api in (first, second, first, second)] == [200, 200, 429, 429]


def test_throttled_response_has_retry_after(rates: Rates) -> None:
    rates(office="1/h")
    api = make_api("office")
    api.get("orders/")
    answer = api.get("orders/")
    assert codes(answer) == [("throttled", None)]
    assert 1 <= int(answer["Retry-After"]) <= 3600
    assert answer["Retry-After"] in answer.json()["errors"][0]["detail"]


def test_count_starts_again_in_the_next_period(rates: Rates, monkeypatch: pytest.MonkeyPatch) -> None:
    rates(office="1/min")
    api, now = make_api("office"), 1_800_000_000.0 - 1_800_000_000 % 60
    answers = []
    for moment in (now, now + 59, now + 60):
        monkeypatch.setattr(throttling, "time", lambda moment=moment: moment)
        answers.append(api.get("orders/"))
    assert [answer.status_code for answer in answers] == [200, 429, 200]
    assert answers[1]["Retry-After"] == "1"


def test_sign_in_is_throttled_by_address(rates: Rates) -> None:
    rates(sign_in="2/h")
    form_data = {"username": "ling", "password": "wrong"}
    assert statuses(3, lambda: Api().post("auth/token/", form_data)) == [401, 401, 429]


def test_customers_orders_are_throttled_but_not_reads(rates: Rates) -> None:
    rates(order="1/h", customer="50/h")
    api, product = make_api("customer"), make_product()
    order = {"scheduled_date": str(timezone.localdate()), "items": [{"product": product.pk, "quantity": 1}]}
    assert statuses(2, lambda: api.post("orders/", order)) == [201, 429]
    assert api.get("orders/").status_code == 200


def test_rate_of_customers_orders_does_not_apply_to_the_office(rates: Rates) -> None:
    rates(order="1/h")
    api = make_api("office")
    assert statuses(3, lambda: api.post("orders/", {})) == [400, 400, 400]


def test_polling_events_has_its_own_rate(rates: Rates) -> None:
    rates(customer="1/h", events="3/h")
    api = make_api("customer")
    assert statuses(4, lambda: api.get("events/")) == [200, 200, 200, 429]
    assert api.get("orders/").status_code == 200


def test_schema_is_throttled(rates: Rates, monkeypatch: pytest.MonkeyPatch) -> None:
    rates(schema="1/h")
    monkeypatch.setattr("drf_spectacular.generators.SchemaGenerator.get_schema", lambda *_, **__: {})
    assert statuses(2, lambda: Api().get("schema/")) == [200, 429]


def test_empty_rate_is_no_limit(rates: Rates) -> None:
    rates(office="")
    api = make_api("office")
    assert statuses(20, lambda: api.get("products/")) == [200] * 20


def test_nothing_is_throttled_while_the_switch_is_off(rates: Rates, switch_off: Callable[..., None]) -> None:
    rates(office="1/h")
    switch_off(flags.THROTTLING)
    api = make_api("office")
    assert statuses(3, lambda: api.get("products/")) == [200, 200, 200]


class BrokenCache:
    """A cache that stores nothing. `add` returns `added`: True as Django's dummy cache, False as a failing cache."""

    def incr(self, *_: object) -> int:
        raise ValueError

    def add(self, *_: object) -> bool:
        return self.added

    def __init__(self, added: bool) -> None:
        self.added = added


@pytest.mark.parametrize("shared", [BrokenCache(True), BrokenCache(False)])
def test_process_counts_requests_without_the_shared_cache(
    rates: Rates, monkeypatch: pytest.MonkeyPatch, shared: object
) -> None:
    rates(office="2/h")
    monkeypatch.setattr(throttling, "cache", shared)
    api = make_api("office")
    assert statuses(3, lambda: api.get("products/")) == [200, 200, 429]


def test_counts_of_other_processes_are_included(rates: Rates, monkeypatch: pytest.MonkeyPatch) -> None:
    # Uses the shared cache even within a second after a failure of Redis.
    monkeypatch.setattr(caching, "monotonic", lambda: math.inf)
    rates(office="3/h")
    assert [throttling.wait_for("office", 7) for _ in range(3)] == [None] * 3
    throttling.process_cache.clear()  # as in another process, whose own cache is empty
    assert throttling.wait_for("office", 7) is not None


def test_process_cache_is_not_the_shared_cache() -> None:
    assert throttling.process_cache is not caches["default"]


@pytest.mark.long
@pytest.mark.parametrize(("role", "path", "burst"), [("office", "products/", 400), ("driver", "drivers/", 200)])
def test_usual_bursts_are_not_throttled(rates: Rates, settings: Any, role: str, path: str, burst: int) -> None:
    """Office: fifty moved cards and the requests after each. Driver: reports of twenty stops after an offline day."""
    from luckygas.libraries import THROTTLE_RATES

    rates(**THROTTLE_RATES)
    api = make_api(role)
    assert statuses(burst, lambda: api.get(path)) == [200] * burst
