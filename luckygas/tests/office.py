"""REST clients of clerks on a running site, with time limits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import requests

from luckygas.testing.site import Site
from luckygas.testing.waiting import PATIENCE_SECONDS
from orders.models import Order
from orders.tests.factories import make_office
from realtime.tests.client import token_for

Ask = Callable[[], requests.Response]


class Office:
    """A clerk's REST client on the running site."""

    def __init__(self, site: Site) -> None:
        self.url = f"{site.url}/api/v1/"
        self.headers = {"Authorization": f"Bearer {token_for(make_office())}", "Accept-Language": "en"}

    def call(self, method: str, path: str, data: Any = None) -> requests.Response:
        return requests.request(method, self.url + path, json=data, headers=self.headers, timeout=PATIENCE_SECONDS)

    def confirms(self, order: Order) -> requests.Response:
        return self.call("PATCH", f"orders/{order.pk}/status/", {"status": "confirmed"})
