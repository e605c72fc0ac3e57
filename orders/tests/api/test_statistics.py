from __future__ import annotations

from datetime import date, timedelta

import pytest
import time_machine

from orders.tests.api.client import codes, make_api
from orders.tests.factories import make_order

pytestmark = pytest.mark.django_db


@time_machine.travel("2026-11-23T04:00:00Z", tick=False)
def test_default_period_is_last_thirty_days() -> None:
    for days in (0, 29, 30, -1):
        make_order(scheduled_date=date(2026, 11, 23) - timedelta(days=days))
    body = make_api("office").get("orders/statistics/").json()
    assert (body["from"], body["to"], body["total"]) == ("2026-10-25", "2026-11-23", 2)


def test_period_may_be_one_day() -> None:
    body = make_api("office").get("orders/statistics/", **{"from": "2026-11-23", "to": "2026-11-23"}).json()
    assert (body["from"], body["to"]) == ("2026-11-23", "2026-11-23")


@pytest.mark.parametrize(
    ("query", "attr"),
    [
        ({"from": "2026-11-24", "to": "2026-11-23"}, "from"),
        ({"from": "2025-01-01", "to": "2026-11-23"}, "from"),
        ({"from": "2026-02-30"}, "from"),
        ({"to": "0001-01-01"}, "to"),
        ({"to": "x"}, "to"),
    ],
)
def test_invalid_period_is_refused(query: dict[str, str], attr: str) -> None:
    answer = make_api("office").get("orders/statistics/", **query)
    assert (answer.status_code, codes(answer)) == (400, [("invalid", attr)])
