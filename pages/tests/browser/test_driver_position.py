"""The driver's position, as telephones really give it: with impossible times, and figures from another world."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async as make
from django.utils import timezone
from playwright.async_api import WebSocketRoute

from dispatch.models import Driver, DriverLocation
from luckygas.testing.waiting import wait_for_async
from pages.tests.browser.phone import Phone, make_stop, until_true

pytestmark = pytest.mark.django_db(transaction=True)
WEEK = 7 * 86_400_000
# A telephone whose fixes the test gives: `fix({…coords}, timestamp)`.
GPS = """
let told = null;
navigator.geolocation.watchPosition = (fixed) => ((told = fixed), 1);
navigator.geolocation.clearWatch = () => (told = null);
window.fix = (coords, timestamp) => told({
  coords: { latitude: 25.01, longitude: 121.51, accuracy: 8, speed: null, heading: null, ...coords }, timestamp,
});
"""
# 1,024 weeks ago, 2001, an hour ahead, microseconds, none.
STAMPS = [
    f"Date.now() - {1024 * WEEK}", "Date.UTC(2001, 0)", "Date.now() + 3_600_000", "Date.now() * 1000", "NaN",
]  # fmt: skip


async def on_the_road(phone: Phone, driver: Driver) -> None:
    await make(make_stop)(driver, "delivering")
    await phone.page.add_init_script(GPS)
    await phone.open()
    await phone.page.locator("#sharing").wait_for()


async def stored(driver: Driver, **fields: Any) -> DriverLocation:
    """Waits for it."""
    await until_true(lambda: DriverLocation.objects.filter(driver=driver, **fields).exists())
    return await make(DriverLocation.objects.get)(driver=driver)


async def test_the_office_gets_a_position_whatever_its_stamp_says(phone: Phone, driver: Driver) -> None:
    await on_the_road(phone, driver)
    for number, stamp in enumerate(STAMPS):
        await phone.page.evaluate(f"fix({{ latitude: 25 + {number} / 100 }}, {stamp})")
        row = await stored(driver, latitude=25 + number / 100)
        assert abs(timezone.now() - row.recorded_at) < timedelta(seconds=30), stamp
    await phone.page.locator("#sharing.good").wait_for()


ODD: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"speed": -1, "heading": -1, "accuracy": -1}, {"speed": None, "heading": None, "accuracy": None}),
    ({"speed": 100, "heading": 400, "accuracy": 300_000}, {"speed": None, "heading": None, "accuracy": None}),
    ({"speed": 10, "heading": 90}, {"speed": 36, "heading": 90, "accuracy": 8}),
]


@pytest.mark.long
async def test_figures_that_cannot_be_cost_no_position(phone: Phone, driver: Driver) -> None:
    await on_the_road(phone, driver)
    for number, (coords, kept) in enumerate(ODD, start=1):
        await phone.page.evaluate("(coords) => fix(coords, Date.now())", coords | {"latitude": 24 + number / 100})
        row = await stored(driver, latitude=24 + number / 100)
        assert {name: getattr(row, name) for name in kept} == kept


async def test_what_is_no_place_is_not_shared(phone: Phone, driver: Driver) -> None:
    await on_the_road(phone, driver)
    await phone.page.evaluate("fix({ latitude: NaN }, Date.now())")
    await phone.shows("#sharing", "not known")
    await phone.page.evaluate("fix({}, Date.now())")
    await phone.page.locator("#sharing.good").wait_for()


async def test_the_page_says_shared_only_while_the_office_gets_it(phone: Phone, driver: Driver) -> None:
    lost: list[str] = []
    swallows = True

    async def join(link: WebSocketRoute) -> None:
        server = link.connect_to_server()

        def pass_on(message: str | bytes) -> None:
            if swallows and json.loads(message)["type"] == "location_update":
                lost.append(str(message))
            else:
                server.send(message)

        link.on_message(pass_on)

    await phone.page.clock.install()
    await phone.page.route_web_socket("**", join)
    await on_the_road(phone, driver)
    await phone.page.evaluate("fix({}, Date.now())")
    await wait_for_async(lambda: bool(lost))
    assert await phone.page.locator("#sharing.good").count() == 0
    await phone.page.clock.fast_forward(11_000)
    await phone.shows("#sharing", "office does not get it")
    # Who stands still has nothing new to say: the same is said again.
    swallows = False
    await phone.page.clock.fast_forward(3_000)
    await phone.page.locator("#sharing.good").wait_for()
    assert await make(DriverLocation.objects.filter(driver=driver).exists)()
