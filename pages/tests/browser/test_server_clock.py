"""The pages' clock is the server's, whatever the clock of the device says."""

from __future__ import annotations

import pytest
from asgiref.sync import sync_to_async as make
from django.utils import timezone
from playwright.async_api import Page

from luckygas.testing.browser import sign_in
from luckygas.testing.site import Site
from orders.tests.factories import make_office
from pages.tests.browser.clock import give_clock

DAY = 86_400_000
# The module alone, in a device whose clock the test sets: `set(milliseconds)` beside the right time.
OPEN = """async () => {
  const real = Date.now;
  window.real = () => real();
  window.set = (ms) => (Date.now = () => real() + ms);
  window.clock = await import("/static/web/server-clock.js");
}"""


async def opened(page: Page, site: Site) -> Page:
    await page.goto(f"{site.url}/accounts/login/")
    await page.evaluate(OPEN)
    return page


async def error(page: Page, before: str = "") -> float:
    """How many milliseconds the page's clock is ahead of the right time, after JavaScript."""
    return float(await page.evaluate(f"() => {{ {before}; return clock.now() - real(); }}"))


@pytest.mark.parametrize("off", [-DAY, DAY])
async def test_today_beside_a_date_of_the_admin_is_the_servers(page: Page, site: Site, off: int) -> None:
    await give_clock(page, off)
    await sign_in(page, site, await make(make_office)(is_superuser=True), "/admin/dispatch/route/add/")
    await page.locator(".field-date .datetimeshortcuts a").first.click()
    shown = await page.input_value("[name=date]")
    assert shown.replace("/", "-") == str(timezone.localdate())


async def test_a_page_learns_the_servers_clock_from_answers_of_the_api(page: Page, site: Site) -> None:
    await opened(page, site)
    await page.evaluate(
        f"set({DAY}); import('/static/web/api.js').then(({{ request }}) => request('GET', 'orders/').catch(() => 0))"
    )
    await page.wait_for_function("clock.clockOffset() !== null")
    assert abs(await error(page)) < 2_000
