"""A clerk's REST client for tests with a running site."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import requests

from luckygas.testing.site import Site
from luckygas.testing.waiting import PATIENCE_SECONDS
from orders.models import Order
from orders.tests.factories import make_office
from realtime.tests.client import token_for

SendRequest = Callable[[], requests.Response]


class Office:
    """A REST client with a clerk's token. Each request has a time limit."""

    def __init__(self, site: Site) -> None:
        self.url = f"{site.url}/api/v1/"
        self.headers = {"Authorization": f"Bearer {token_for(make_office())}", "Accept-Language": "en"}

    def call(self, method: str, path: str, data: Any = None) -> requests.Response:
        return requests.request(method, self.url + path, json=data, headers=self.headers, timeout=PATIENCE_SECONDS)

    def confirm(self, order: Order) -> requests.Response:
        return self.call("PATCH", f"orders/{order.pk}/status/", {"status": "confirmed"})
