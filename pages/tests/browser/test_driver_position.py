"""The driver's page shares the position, also from phones that report impossible timestamps and values."""

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
from pages.tests.browser.phone import Phone, make_stop, wait_until_true

pytestmark = pytest.mark.django_db(transaction=True)


# Counts how often the page begins to watch the position.
COUNT_WATCHES = """
window.watches = 0;
const watch = navigator.geolocation.watchPosition.bind(navigator.geolocation);
navigator.geolocation.watchPosition = (...values) => (window.watches += 1, watch(...values));
"""


async def test_position_is_shared_only_on_the_road(phone: Phone, driver: Driver) -> None:
    order = await make(make_stop)(driver)
    await phone.page.context.grant_permissions(["geolocation"])
    await phone.page.context.set_geolocation({"latitude": 25.01, "longitude": 121.51, "accuracy": 8})
    await phone.page.add_init_script(COUNT_WATCHES)
    await phone.open()
    assert await phone.page.locator("#sharing").is_hidden()
    assert await phone.page.evaluate("window.watches") == 0
    await phone.go("delivering")
    assert await phone.page.evaluate("window.watches") == 1
    await phone.page.locator("#sharing.good").wait_for()
    await wait_until_true(lambda: DriverLocation.objects.filter(driver=driver, latitude=25.01).exists())
    await phone.press("back", "assigned")
    await phone.page.locator("#sharing").wait_for(state="hidden")
    await phone.page.context.set_geolocation({"latitude": 25.02, "longitude": 121.52, "accuracy": 8})
    await phone.wait_for_server(order, "assigned")
    assert not await make(DriverLocation.objects.filter(latitude=25.02).exists)()
    await phone.go("delivering")
    await wait_until_true(lambda: DriverLocation.objects.filter(driver=driver, latitude=25.02).exists())
    await phone.page.context.set_offline(True)
    await phone.page.locator("#sharing:not(.good)").wait_for()
    assert "no live connection" in await phone.text("#sharing")


WEEK = 7 * 86_400_000
# Fakes the geolocation. The test calls `fix({…coords}, timestamp)` for each position.
FAKE_GPS = """
let report = null;
navigator.geolocation.watchPosition = (callback) => ((report = callback), 1);
navigator.geolocation.clearWatch = () => (report = null);
window.fix = (coords, timestamp) => report({
  coords: { latitude: 25.01, longitude: 121.51, accuracy: 8, speed: null, heading: null, ...coords }, timestamp,
});
"""
# Impossible timestamps that phones report: 1,024 weeks ago, 2001, an hour ahead, in microseconds, none.
TIMESTAMPS = [
    f"Date.now() - {1024 * WEEK}", "Date.UTC(2001, 0)", "Date.now() + 3_600_000", "Date.now() * 1000", "NaN",
]  # fmt: skip


async def open_on_the_road(phone: Phone, driver: Driver) -> None:
    await make(make_stop)(driver, "delivering")
    await phone.page.add_init_script(FAKE_GPS)
    await phone.open()
    await phone.page.locator("#sharing").wait_for()


async def wait_for_location(driver: Driver, **fields: Any) -> DriverLocation:
    """Waits until the driver's location with these fields is stored."""
    await wait_until_true(lambda: DriverLocation.objects.filter(driver=driver, **fields).exists())
    return await make(DriverLocation.objects.get)(driver=driver)


async def test_position_with_an_impossible_timestamp_is_sent(phone: Phone, driver: Driver) -> None:
    await open_on_the_road(phone, driver)
    for number, timestamp in enumerate(TIMESTAMPS):
        await phone.page.evaluate(f"fix({{ latitude: 25 + {number} / 100 }}, {timestamp})")
        row = await wait_for_location(driver, latitude=25 + number / 100)
        assert abs(timezone.now() - row.recorded_at) < timedelta(seconds=30), timestamp
    await phone.page.locator("#sharing.good").wait_for()


# Coordinates as phones report them, and what the server stores.
ODD_VALUES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"speed": -1, "heading": -1, "accuracy": -1}, {"speed": None, "heading": None, "accuracy": None}),
    ({"speed": 100, "heading": 400, "accuracy": 300_000}, {"speed": None, "heading": None, "accuracy": None}),
    ({"speed": 10, "heading": 90}, {"speed": 36, "heading": 90, "accuracy": 8}),
]


@pytest.mark.long
async def test_impossible_speed_heading_or_accuracy_is_left_out(phone: Phone, driver: Driver) -> None:
    await open_on_the_road(phone, driver)
    for number, (coords, expected) in enumerate(ODD_VALUES, start=1):
        await phone.page.evaluate("(coords) => fix(coords, Date.now())", coords | {"latitude": 24 + number / 100})
        row = await wait_for_location(driver, latitude=24 + number / 100)
        assert {name: getattr(row, name) for name in expected} == expected


async def test_invalid_coordinates_show_that_the_position_is_unknown(phone: Phone, driver: Driver) -> None:
    await open_on_the_road(phone, driver)
    await phone.page.evaluate("fix({ latitude: NaN }, Date.now())")
    await phone.wait_for_text("#sharing", "unknown")
    await phone.page.evaluate("fix({}, Date.now())")
    await phone.page.locator("#sharing.good").wait_for()


async def test_page_says_shared_only_after_the_server_confirmed(phone: Phone, driver: Driver) -> None:
    dropped: list[str] = []
    is_dropping = True

    async def join(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()

        def pass_on(message: str | bytes) -> None:
            if is_dropping and json.loads(message)["type"] == "location_update":
                dropped.append(str(message))
            else:
                server.send(message)

        socket.on_message(pass_on)

    await phone.page.clock.install()
    await phone.page.route_web_socket("**", join)
    await open_on_the_road(phone, driver)
    await phone.page.evaluate("fix({}, Date.now())")
    await wait_for_async(lambda: bool(dropped))
    assert await phone.page.locator("#sharing.good").count() == 0
    await phone.page.clock.fast_forward(11_000)
    await phone.wait_for_text("#sharing", "office does not receive it")
    # A driver who stands still has no new position, so the last one is sent again.
    is_dropping = False
    await phone.page.clock.fast_forward(3_000)
    await phone.page.locator("#sharing.good").wait_for()
    assert await make(DriverLocation.objects.filter(driver=driver).exists)()
