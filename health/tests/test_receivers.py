from __future__ import annotations

import asyncio

import pytest
from asgiref.sync import sync_to_async

from health.models import Minute, SystemMetric
from luckygas.testing.site import Site
from orders.tests.factories import make_office
from realtime.tests.client import open_client, token_for

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_running_site_keeps_its_figures_without_a_timer(site: Site) -> None:
    """The minute that is over when the hub starts, and the hour's snapshot with it."""
    token = await sync_to_async(lambda: token_for(make_office()))()
    async with open_client(f"{site.ws}/office?token={token}"), asyncio.timeout(10):
        while not await SystemMetric.objects.aexists():
            await asyncio.sleep(0.05)
    minute = await Minute.objects.aget()
    assert minute.figures is not None
    assert {"connections", "events", "lags", "orders"} <= minute.figures.keys()
