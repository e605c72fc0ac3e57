"""Switches over processes: turned in one, obeyed by the others within a second, with Redis or without."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from asgiref.sync import sync_to_async as make

from catalogue.models import Product
from luckygas.testing.servers import running
from luckygas.testing.site import Site
from luckygas.testing.waiting import PATIENCE_SECONDS, wait_for
from luckygas.tests.test_end_to_end import Rest
from orders.tests.factories import TODAY, make_office, make_order, make_product, turn
from realtime.tests.client import open_client
from web import flags

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite]


@pytest.mark.parametrize(("switch", "log"), [(flags.WEBSOCKETS, 200), (flags.REAL_TIME, 503)])
async def test_sockets_are_closed_refused_and_let_in_again(either_site: Site, switch: str, log: int) -> None:
    user = await make(make_office)()
    rest = await make(Rest)(either_site, user.username)
    url = f"{either_site.ws}/office?token={rest.token}"
    async with open_client(url) as client:
        await make(turn)(switch, False)
        # Daphne may not say 1013.
        assert await client.closed() in (1013, 4013)
    async with open_client(url) as refused:
        assert (refused.welcome["type"], refused.welcome["code"]) == ("error", "switched_off")
        assert await refused.closed() in (1013, 4013)
    assert (await make(rest.call)("GET", "events/")).status_code == log
    product = await make(make_product)()
    await make(turn)(switch, True)
    await let_in(url)
    missed = f"&since={client.welcome['last_event_id']}&epoch={client.welcome['epoch']}"
    async with open_client(url + missed) as again:
        assert again.welcome["recovered"] is True
        assert (await again.until("inventory.updated"))["data"]["product_id"] == product.pk


async def let_in(url: str) -> None:
    """Comes back until the server lets a client in."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            async with open_client(url) as client:
                if client.welcome["type"] == "connection":
                    return


@pytest.mark.servers
async def test_two_servers_answer_alike_from_one_cache(site: Site) -> None:
    """One writes, the other is asked; then the cache is switched off."""
    other = Site("uvicorn")
    with running(other):
        user = await make(make_office)()
        rests = [await make(Rest)(server, user.username) for server in (site, other)]
        async with open_client(f"{site.ws}/office?token={rests[0].token}"):  # so a hub runs, which numbers
            await make(make_order)(product=await make(make_product)())
            await make(check_names)(rests)
            await make(turn)(flags.CACHING, False)
            await make(wait_for)(lambda: not stats(rests[1])["switched_on"])
            assert await make(name)(rests[1]) == "20 kg"


def check_names(rests: list[Rest]) -> None:
    product = Product.objects.get().pk
    for now in ("16 kg", "18 kg", "20 kg"):
        assert rests[0].call("PATCH", f"products/{product}/", name=now).status_code == 200
        assert [name(rest) for rest in (*rests, *rests)] == [now] * 4
    wait_for(lambda: name(rests[1]) == now and sum(row["hits"] for row in stats(rests[1])["caches"]))


def name(rest: Rest) -> Any:
    answer = rest.call("GET", f"orders/statistics/?from={TODAY}&to={TODAY}").json()
    return answer["by_product"][0]["name"]


def stats(rest: Rest) -> Any:
    answer = rest.call("GET", "performance/cache-stats/").json()
    assert answer["shared"]
    return answer
