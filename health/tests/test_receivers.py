from __future__ import annotations

import asyncio

import pytest
from asgiref.sync import sync_to_async

from luckygas.testing.site import Site
from orders.tests.factories import make_office
from realtime.tests.client import open_client, token_for
from web.models import SystemMetric

pytestmark = pytest.mark.django_db(transaction=True)


async def test_a_running_site_keeps_its_figures_without_a_timer(site: Site) -> None:
    """The minute, and with it the snapshot of the hour before."""
    token = await sync_to_async(lambda: token_for(make_office()))()
    async with open_client(f"{site.ws}/office?token={token}"), asyncio.timeout(10):
        while not await SystemMetric.objects.filter(span="hour").aexists():
            await asyncio.sleep(0.05)
    minute = await SystemMetric.objects.filter(span="minute").afirst()
    assert minute is not None
    assert "luckygas_orders pending" in minute.metrics_json["gauges"]
