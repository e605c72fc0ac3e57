"""The driver's and the customer's pages while WebSockets, or all live updates, are switched off."""

from __future__ import annotations

import pytest
from asgiref.sync import sync_to_async as make
from playwright.async_api import Page, expect

from dispatch.models import Driver
from luckygas.testing.browser import until
from luckygas.testing.site import Site
from luckygas.tests.test_switches import wait_until_accepted
from orders.models import Order
from orders.states import OrderStatus
from orders.tests.factories import make_order, set_switch
from pages.tests.browser.phone import Phone, make_stop, wait_until_true
from web import flags

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(("switch", "state"), [(flags.WEBSOCKETS, "polling"), (flags.REAL_TIME, "reloading")])
async def test_driver_page_works_while_a_switch_is_off(phone: Phone, driver: Driver, switch: str, state: str) -> None:
    order = await make(make_stop)(driver)
    await phone.open()
    await make(set_switch)(switch, False)
    await until(phone.page, f"document.querySelector('connection-status').dataset.state === '{state}'")
    await phone.go("delivering")
    await wait_until_true(lambda: Order.objects.filter(pk=order.pk, status="delivering").exists())
    await make(set_switch)(switch, True)
    # The page resumes from its cursor at once when the browser reports that it is online.
    later = await make(make_stop)(driver)
    await phone.page.evaluate("dispatchEvent(new Event('online'))")
    await phone.wait_for_text("#others .stop", later.customer.name)


@pytest.mark.parametrize("switch", [flags.WEBSOCKETS, flags.REAL_TIME])
async def test_customer_page_reloads_periodically_while_a_switch_is_off(page: Page, site: Site, switch: str) -> None:
    order = await make(make_order)(OrderStatus.CONFIRMED)
    await page.clock.install()
    await page.goto(f"{site.url}/t/{order.tracking_token}/")
    status = page.locator("connection-status")
    await expect(status).to_have_attribute("data-state", "live")
    await make(set_switch)(switch, False)
    await expect(status).to_have_attribute("data-state", "reloading")
    await make(order.transition_to)(OrderStatus.CANCELLED, reason="改期")
    await page.clock.fast_forward(45_000)
    await expect(page.locator("#state")).to_have_attribute("data-status", "cancelled")
    await expect(status).to_have_attribute("data-state", "reloading")
    await make(set_switch)(switch, True)
    # Waits until the server has read the switch. After another refusal the page would wait for half a minute.
    await wait_until_accepted(f"{site.ws}/track/{order.tracking_token}")
    await page.clock.fast_forward(45_000)
    await expect(status).to_have_attribute("data-state", "live")
