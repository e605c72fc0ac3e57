"""Every switch on a running site: turned in the admin, obeyed by the server's process at once, and the rest works."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests
from asgiref.sync import sync_to_async as make
from waffle.models import Switch

from luckygas.testing.servers import running
from luckygas.testing.site import Site
from luckygas.testing.waiting import wait_for
from luckygas.tests.test_end_to_end import PASSWORD, Rest, token_of
from luckygas.tests.test_switches import let_in
from notifications.models import NotificationHistory
from orders.models import Order
from orders.tests.factories import TODAY, make_customer, make_office, make_order, make_user, turn
from realtime.tests.client import open_client
from web import flags

pytestmark = [pytest.mark.long, pytest.mark.servers, pytest.mark.django_db(transaction=True)]
READ_BY_HOUR = 3


class Admin:
    """A superuser's browser."""

    def __init__(self, site: Site) -> None:
        self.root, self.session = f"{site.url}/admin", requests.Session()
        boss = make_user(is_staff=True, is_superuser=True)
        self.send("/login/", username=boss.username, password=PASSWORD)

    def send(self, path: str, **fields: str) -> None:
        page = self.session.get(self.root + path, timeout=10)
        said = fields | {"csrfmiddlewaretoken": token_of(page.text)}
        answer = self.session.post(page.url, data=said, headers={"Referer": page.url}, timeout=10)
        assert answer.status_code == 200
        assert answer.history, answer.text  # a form that was refused redirects nowhere

    def turn(self, name: str, *, on: bool) -> None:
        path = f"/waffle/switch/{Switch.objects.get(name=name).pk}/change/"
        self.send(path, note="", **({"active": "on"} if on else {}))

    @contextmanager
    def off(self, name: str) -> Iterator[None]:
        self.turn(name, on=False)
        yield
        self.turn(name, on=True)


@pytest.fixture
def limited(transactional_db: None) -> Iterator[Site]:
    """With the rates of production, but for who reads the log."""
    for name in flags.MEANINGS:
        turn(name, True)
    with running(Site("uvicorn", THROTTLE_RATES=f"events={READ_BY_HOUR}/h")) as site:
        yield site


async def test_each_switch_is_obeyed_at_once_and_taken_back_at_once(limited: Site) -> None:
    office = await make(make_office)()
    admin, rest = await make(Admin)(limited), await make(Rest)(limited, office.username)
    url = f"{limited.ws}/office?token={rest.token}"
    async with open_client(url):  # so a hub runs, which numbers
        for check in (check_throttling, check_performance, check_sms, check_caching):
            await make(check)(admin, rest)
    for switch in (flags.REAL_TIME, flags.WEBSOCKETS):
        await check_sockets(admin, url, rest, switch)


def check_throttling(admin: Admin, rest: Rest) -> None:
    def status() -> int:
        return rest.call("GET", "events/").status_code

    assert [status() for _ in range(READ_BY_HOUR + 1)][-1] == 429
    with admin.off(flags.THROTTLING):
        wait_for(lambda: status() == 200)
        assert {status() for _ in range(READ_BY_HOUR * 2)} == {200}
    wait_for(lambda: status() == 429)


def check_performance(admin: Admin, rest: Rest) -> None:
    def figures() -> Any:
        return rest.call("GET", "performance/").json()

    def timed() -> int:
        rest.call("GET", "products/")
        return sum(row["count"] for row in figures()["operations"])

    with admin.off(flags.PERFORMANCE):
        wait_for(lambda: not figures()["measuring"])
        wait_for(lambda: timed() == timed())
    wait_for(lambda: figures()["measuring"])
    wait_for(lambda: timed() < timed())


def check_sms(admin: Admin, rest: Rest) -> None:
    def status(order: Order) -> str:
        return str(NotificationHistory.objects.get(order=order).status)

    def confirm() -> Order:
        order = make_order(customer=make_customer())
        assert rest.call("PATCH", f"orders/{order.pk}/status/", status="confirmed").status_code == 200
        return order

    with admin.off(flags.SMS):
        time.sleep(flags.MEMORY_SECONDS + 0.1)
        waits = confirm()
        time.sleep(0.3)  # a sender would have sent it
        assert status(waits) == "pending"
    wait_for(lambda: status(waits) == "sent")
    goes = confirm()
    wait_for(lambda: status(goes) == "sent")


def check_caching(admin: Admin, rest: Rest) -> None:
    def size() -> int:
        rest.call("POST", "performance/cache-clear/")
        rest.call("GET", f"orders/statistics/?from={TODAY}&to={TODAY}")
        return int(rest.call("GET", "performance/cache-stats/").json()["caches"][0]["size"])

    wait_for(lambda: size() == 1)
    with admin.off(flags.CACHING):
        wait_for(lambda: size() == 0)
    wait_for(lambda: size() == 1)


async def check_sockets(admin: Admin, url: str, rest: Rest, switch: str) -> None:
    async with open_client(url) as client:
        await make(admin.turn)(switch, on=False)
        assert await client.closed() == 1013
    async with open_client(url) as refused:
        assert refused.welcome["code"] == "switched_off"
    assert (await make(rest.call)("GET", "orders/")).status_code == 200
    await make(admin.turn)(switch, on=True)
    await let_in(url)
