"""Sign-in and sign-out on a slow connection."""

from __future__ import annotations

import asyncio

import pytest
from asgiref.sync import sync_to_async as make
from playwright.async_api import Locator, Page, Route, expect

from luckygas.testing.browser import sign_in
from luckygas.testing.site import Site
from orders.tests.factories import PASSWORD, make_user

pytestmark = pytest.mark.django_db(transaction=True)


class SlowConnection:
    """Counts POST requests. Holds them until `go` is set, or aborts them if `cut`, as the browser's “stop” does."""

    def __init__(self, cut: bool = False) -> None:
        self.posted, self.cut, self.go = 0, cut, asyncio.Event()

    async def hold(self, route: Route) -> None:
        if route.request.method == "POST":
            self.posted += 1
            if self.cut:
                await route.abort("aborted")
                return
            await self.go.wait()
        await route.continue_()


async def press(page: Page, button: Locator, times: int) -> None:
    """Clicks `times` times by mouse coordinates, because Playwright's other clicks wait for the next page."""
    box = await button.bounding_box()
    assert box is not None
    for _ in range(times):
        await page.mouse.click(box["x"] + 5, box["y"] + 5)
        await asyncio.sleep(0.2)


async def fill_sign_in(page: Page, site: Site, connection: SlowConnection, name: str) -> Locator:
    await page.route("**/accounts/login/", connection.hold)
    await page.goto(f"{site.url}/accounts/login/")
    await page.fill("input[name=username]", name)
    await page.fill("input[name=password]", PASSWORD)
    return page.locator("main button[type=submit]")


async def test_sign_in_pressed_several_times_is_sent_once(page: Page, site: Site) -> None:
    user, connection = await make(make_user)(first_name="王小明"), SlowConnection()
    await press(page, await fill_sign_in(page, site, connection, user.username), 3)
    await page.keyboard.press("Enter")
    connection.go.set()
    await expect(page.locator("summary", has_text="王小明")).to_be_visible()
    assert connection.posted == 1


async def test_sign_out_pressed_several_times_is_sent_once(page: Page, site: Site) -> None:
    connection = SlowConnection()
    await sign_in(page, site, await make(make_user)(first_name="王小明"))
    await page.route("**/accounts/logout/", connection.hold)
    await page.locator("summary", has_text="王小明").click()
    await press(page, page.locator("form[action$='/logout/'] button"), 3)
    connection.go.set()
    await page.wait_for_url("**/accounts/login/")
    assert connection.posted == 1


async def test_aborted_sign_in_can_be_sent_again_after_16_seconds(page: Page, site: Site) -> None:
    connection = SlowConnection(cut=True)
    await page.clock.install()
    button = await fill_sign_in(page, site, connection, "nobody")
    await press(page, button, 2)
    assert connection.posted == 1
    await page.clock.fast_forward(16_000)
    await press(page, button, 2)
    assert connection.posted == 2
