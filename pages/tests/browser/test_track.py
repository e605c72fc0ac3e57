"""The customer's tracking page in a browser, with live updates."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async as make
from django.utils import timezone
from playwright.async_api import Page, Route, expect

from luckygas.testing.browser import serious_faults
from luckygas.testing.site import Site
from luckygas.testing.waiting import PATIENCE_SECONDS
from orders.models import Order
from orders.states import OrderStatus
from orders.tests.factories import make_customer, make_driver, make_order
from pages.tests.browser.phone import DAY_MS, shift_clock
from realtime.tests.client import open_client, token_for

pytestmark = pytest.mark.django_db(transaction=True)


@make
def make_assigned_order() -> tuple[Order, str]:
    """Returns an assigned order and its driver's token."""
    customer, driver = make_customer(latitude=25.0330, longitude=121.5654), make_driver(name="陳志明")
    return make_order(OrderStatus.ASSIGNED, customer=customer, driver=driver), token_for(driver.user)


async def test_page_shows_each_status_up_to_the_receipt(page: Page, site: Site) -> None:
    order, jwt = await make_assigned_order()
    await page.goto(f"{site.url}/t/{order.tracking_token}/")
    await expect(page.locator("connection-status")).to_have_attribute("data-state", "live")
    await expect(page.locator("#place")).to_be_hidden()
    await make(order.transition_to)(OrderStatus.DELIVERING)
    await expect(page.locator("#state")).to_have_attribute("data-status", "delivering")
    async with open_client(f"{site.ws}/driver?token={jwt}") as driver:
        await driver.send(type="location_update", latitude=25.04, longitude=121.56)
        await expect(page.locator("#place .pin.driver")).to_be_visible()
        await expect(page.locator("#place .pin.stop")).to_be_visible()
    await expect(page.locator(".steps .done")).to_have_count(2)
    assert await serious_faults(page) == []
    await make(order.transition_to)(OrderStatus.ARRIVING)
    await make(order.transition_to)(OrderStatus.DELIVERED)
    await expect(page.locator(".receipt")).to_be_visible()
    await expect(page.locator("#place")).to_be_hidden()
    await page.emulate_media(color_scheme="dark")
    assert await serious_faults(page) == []


BUSY: dict[str, Any] = {"status": 503, "headers": {"Retry-After": "1"}, "body": "Service Unavailable"}
# A response of a hotel's Wi-Fi instead of the site.
WIFI_PORTAL = {"body": "<h1>Welcome to our hotel</h1>", "content_type": "text/html"}


@pytest.mark.parametrize("response", [BUSY, WIFI_PORTAL])
async def test_read_after_an_event_is_retried_until_it_succeeds(
    page: Page, site: Site, response: dict[str, Any]
) -> None:
    order, _ = await make_assigned_order()
    await page.goto(f"{site.url}/t/{order.tracking_token}/")
    await expect(page.locator("connection-status")).to_have_attribute("data-state", "live")
    await page.route("**/t/**", lambda route: route.fulfill(**response), times=2)
    await make(order.transition_to)(OrderStatus.DELIVERING)
    await expect(page.locator("#state")).to_have_attribute("data-status", "delivering")


async def test_response_older_than_an_event_does_not_stay(page: Page, site: Site) -> None:
    order, _ = await make_assigned_order()
    await page.goto(f"{site.url}/t/{order.tracking_token}/")
    await expect(page.locator("connection-status")).to_have_attribute("data-state", "live")
    held_routes = asyncio.Queue[Route]()
    await page.route("**/t/**", held_routes.put, times=1)
    await make(order.transition_to)(OrderStatus.DELIVERING)
    route = await asyncio.wait_for(held_routes.get(), PATIENCE_SECONDS)
    response = await route.fetch()
    await make(order.transition_to)(OrderStatus.ARRIVING)
    await page.evaluate("new Promise((done) => setTimeout(done, 500))")  # gives the page time to receive the event
    await route.fulfill(response=response)
    await expect(page.locator("#state")).to_have_attribute("data-status", "arriving")
    await page.evaluate("new Promise((done) => setTimeout(done, 300))")
    await expect(page.locator("#state")).to_have_attribute("data-status", "arriving")


@pytest.mark.parametrize("offset", [-DAY_MS, pytest.param(DAY_MS, marks=pytest.mark.long)])
async def test_map_shows_the_driver_although_the_phones_date_is_wrong(page: Page, site: Site, offset: int) -> None:
    order, jwt = await make_assigned_order()
    await make(order.transition_to)(OrderStatus.DELIVERING)
    await shift_clock(page, offset)
    await page.goto(f"{site.url}/t/{order.tracking_token}/")
    await expect(page.locator("connection-status")).to_have_attribute("data-state", "live")
    async with open_client(f"{site.ws}/driver?token={jwt}") as driver:
        await driver.send(type="location_update", latitude=25.04, longitude=121.56)
        await expect(page.locator("#place .pin.driver")).to_be_visible()


async def test_open_page_shows_that_its_link_expired(page: Page, site: Site) -> None:
    order = await make(make_order)(OrderStatus.DELIVERED)
    await page.clock.install()
    await page.goto(f"{site.url}/t/{order.tracking_token}/")
    await expect(page.locator(".receipt")).to_be_visible()
    await make(order.history.update)(recorded_at=timezone.now() - timedelta(days=2))
    await page.clock.fast_forward("01:01")
    await expect(page.locator("p.message")).to_be_visible()
    await expect(page.locator("#state")).to_have_count(0)
    assert await serious_faults(page) == []


async def test_page_keeps_the_chosen_language_and_its_content_in_an_outage(page: Page, site: Site) -> None:
    order = await make(make_order)(OrderStatus.CONFIRMED)
    await page.clock.install()
    await page.goto(f"{site.url}/t/{order.tracking_token}/")
    await page.click(".language button")
    await expect(page.locator("h1")).to_have_text("Your order is confirmed.")
    await page.route("**/t/**", lambda route: route.fulfill(status=503, body="Service Unavailable"))
    await page.clock.fast_forward("01:01")
    await expect(page.locator("h1")).to_have_text("Your order is confirmed.")
    await page.unroute("**/t/**")
    await make(order.transition_to)(OrderStatus.CANCELLED, reason="改期")
    await expect(page.locator("#announcement")).to_have_text("Your order was cancelled.")
