"""Switches across processes: a change in one process takes effect in all, with or without Redis."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest
import requests
from asgiref.sync import sync_to_async as make
from waffle.models import Switch

from catalogue.models import Product
from luckygas.testing.servers import running
from luckygas.testing.site import Site
from luckygas.testing.waiting import SOON_SECONDS, wait_for
from luckygas.tests.test_end_to_end import PASSWORD, Rest, token_of
from notifications.models import NotificationHistory
from orders.models import Order
from orders.tests.factories import TODAY, make_customer, make_office, make_order, make_product, make_user, set_switch
from realtime.tests.client import open_client
from web import flags

pytestmark = pytest.mark.django_db(transaction=True)
wait_briefly = partial(wait_for, seconds=SOON_SECONDS)


@pytest.mark.sqlite
@pytest.mark.parametrize(("switch", "events_status"), [(flags.WEBSOCKETS, 200), (flags.REAL_TIME, 503)])
async def test_sockets_close_and_are_refused_while_a_switch_is_off(
    either_site: Site, switch: str, events_status: int
) -> None:
    user = await make(make_office)()
    rest = await make(Rest)(either_site, user.username)
    url = f"{either_site.ws}/office?token={rest.token}"
    async with open_client(url) as client:
        await make(set_switch)(switch, False)
        # Daphne cannot send 1013, so the site sends 4013 there.
        assert await client.closed(SOON_SECONDS) in (1013, 4013)
    async with open_client(url) as refused:
        assert (refused.welcome["type"], refused.welcome["code"]) == ("error", "switched_off")
        assert await refused.closed(SOON_SECONDS) in (1013, 4013)
    assert (await make(rest.call)("GET", "events/")).status_code == events_status
    product = await make(make_product)()
    await make(set_switch)(switch, True)
    await wait_until_accepted(url)
    missed = f"&since={client.welcome['last_event_id']}&epoch={client.welcome['epoch']}"
    async with open_client(url + missed) as again:
        assert again.welcome["recovered"] is True
        assert (await again.until("inventory.updated"))["data"]["product_id"] == product.pk


async def wait_until_accepted(url: str) -> None:
    """Reconnects until the server accepts a client."""
    async with asyncio.timeout(SOON_SECONDS):
        while True:
            async with open_client(url) as client:
                if client.welcome["type"] == "connection":
                    return


@pytest.mark.sqlite
@pytest.mark.servers
async def test_two_servers_share_one_cache(site: Site) -> None:
    """Changes a product on one server and reads it from both. Then turns the cache off."""
    other = Site("uvicorn")
    with running(other):
        user = await make(make_office)()
        rests = [await make(Rest)(server, user.username) for server in (site, other)]
        # The socket starts a hub, which assigns event ids.
        async with open_client(f"{site.ws}/office?token={rests[0].token}"):
            await make(make_order)(product=await make(make_product)())
            await make(check_names)(rests)
            await make(set_switch)(flags.CACHING, False)
            await make(wait_briefly)(lambda: not cache_stats(rests[1])["switched_on"])
            assert await make(product_name)(rests[1]) == "20 kg"


def check_names(rests: list[Rest]) -> None:
    product = Product.objects.get().pk
    for now in ("16 kg", "18 kg", "20 kg"):
        assert rests[0].call("PATCH", f"products/{product}/", name=now).status_code == 200
        assert [product_name(rest) for rest in (*rests, *rests)] == [now] * 4
    wait_for(lambda: product_name(rests[1]) == now and sum(row["hits"] for row in cache_stats(rests[1])["caches"]))


def product_name(rest: Rest) -> Any:
    answer = rest.call("GET", f"orders/statistics/?from={TODAY}&to={TODAY}").json()
    return answer["by_product"][0]["name"]


def cache_stats(rest: Rest) -> Any:
    answer = rest.call("GET", "performance/cache-stats/").json()
    assert answer["shared"]
    return answer


# Switches that are changed in the admin take effect on a running site.


READS_PER_HOUR = 3


class Admin:
    """A superuser's browser."""

    def __init__(self, site: Site) -> None:
        self.root, self.session = f"{site.url}/admin", requests.Session()
        boss = make_user(is_staff=True, is_superuser=True)
        self.send("/login/", username=boss.username, password=PASSWORD)

    def send(self, path: str, **fields: str) -> None:
        page = self.session.get(self.root + path, timeout=10)
        form_data = fields | {"csrfmiddlewaretoken": token_of(page.text)}
        answer = self.session.post(page.url, data=form_data, headers={"Referer": page.url}, timeout=10)
        assert answer.status_code == 200
        assert answer.history, answer.text  # an invalid form does not redirect

    def turn(self, name: str, *, on: bool) -> None:
        path = f"/waffle/switch/{Switch.objects.get(name=name).pk}/change/"
        self.send(path, note="", **({"active": "on"} if on else {}))

    @contextmanager
    def turned_off(self, name: str) -> Iterator[None]:
        self.turn(name, on=False)
        yield
        self.turn(name, on=True)


@pytest.fixture
def throttled_site(transactional_db: None) -> Iterator[Site]:
    """A site with production's throttle rates, except for polling events."""
    for name in flags.MEANINGS:
        set_switch(name, True)
    with running(Site("uvicorn", THROTTLE_RATES=f"events={READS_PER_HOUR}/h")) as site:
        yield site


@pytest.mark.long
@pytest.mark.servers
async def test_switches_take_effect_without_a_restart(throttled_site: Site) -> None:
    office = await make(make_office)()
    admin, rest = await make(Admin)(throttled_site), await make(Rest)(throttled_site, office.username)
    url = f"{throttled_site.ws}/office?token={rest.token}"
    async with open_client(url):  # starts a hub, which assigns event ids
        for check in (check_throttling, check_performance, check_sms, check_caching):
            await make(check)(admin, rest)


def check_throttling(admin: Admin, rest: Rest) -> None:
    def status() -> int:
        return rest.call("GET", "events/").status_code

    assert [status() for _ in range(READS_PER_HOUR + 1)][-1] == 429
    with admin.turned_off(flags.THROTTLING):
        wait_briefly(lambda: status() == 200)
        assert {status() for _ in range(READS_PER_HOUR * 2)} == {200}
    wait_briefly(lambda: status() == 429)


def check_performance(admin: Admin, rest: Rest) -> None:
    def figures() -> Any:
        return rest.call("GET", "performance/").json()

    def count_timed() -> int:
        rest.call("GET", "products/")
        return sum(row["count"] for row in figures()["operations"])

    with admin.turned_off(flags.PERFORMANCE):
        wait_briefly(lambda: not figures()["measuring"])
        wait_briefly(lambda: count_timed() == count_timed())
    wait_briefly(lambda: figures()["measuring"])
    wait_briefly(lambda: count_timed() < count_timed())


def check_sms(admin: Admin, rest: Rest) -> None:
    def status(order: Order) -> str:
        return str(NotificationHistory.objects.get(order=order).status)

    def confirm() -> Order:
        order = make_order(customer=make_customer())
        assert rest.call("PATCH", f"orders/{order.pk}/status/", status="confirmed").status_code == 200
        return order

    with admin.turned_off(flags.SMS):
        time.sleep(flags.MEMORY_SECONDS + 0.1)
        waiting_order = confirm()
        time.sleep(0.3)  # enough time for a sender to send it
        assert status(waiting_order) == "pending"
    wait_briefly(lambda: status(waiting_order) == "sent")
    later_order = confirm()
    wait_briefly(lambda: status(later_order) == "sent")


def check_caching(admin: Admin, rest: Rest) -> None:
    def size() -> int:
        rest.call("POST", "performance/cache-clear/")
        rest.call("GET", f"orders/statistics/?from={TODAY}&to={TODAY}")
        return int(rest.call("GET", "performance/cache-stats/").json()["caches"][0]["size"])

    wait_briefly(lambda: size() == 1)
    with admin.turned_off(flags.CACHING):
        wait_briefly(lambda: size() == 0)
    wait_briefly(lambda: size() == 1)
