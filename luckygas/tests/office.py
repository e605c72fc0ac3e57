"""Clerks' programs on a running site, and how long they wait."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any

import requests

from luckygas.testing.site import Site
from luckygas.testing.waiting import PATIENCE_SECONDS
from orders.models import Order
from orders.tests.factories import make_office
from realtime.tests.client import token_for

Ask = Callable[[], requests.Response]


class Office:
    """A clerk's program on the running site."""

    def __init__(self, site: Site) -> None:
        self.url = f"{site.url}/api/v1/"
        self.headers = {"Authorization": f"Bearer {token_for(make_office())}", "Accept-Language": "en"}

    def call(self, method: str, path: str, data: Any = None) -> requests.Response:
        return requests.request(method, self.url + path, json=data, headers=self.headers, timeout=PATIENCE_SECONDS)

    def confirms(self, order: Order) -> requests.Response:
        return self.call("PATCH", f"orders/{order.pk}/status/", {"status": "confirmed"})


def slowest(*asks: Ask, seconds: float = 1.5) -> float:
    """Seconds that the slowest answer took of these, asked one after the other for so long; all must be well."""
    answers: list[requests.Response] = []
    end = monotonic() + seconds
    while not answers or monotonic() < end:
        answers += [ask() for ask in asks]
    assert [answer.text for answer in answers if answer.status_code >= 400] == []
    return max(answer.elapsed.total_seconds() for answer in answers)


def soon(usual: float) -> float:
    """A second, on a machine that has nothing else to do; `usual`: what the slowest takes there without a crowd."""
    return 1.0 + 10 * usual
