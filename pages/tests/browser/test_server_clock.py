"""The pages' clock is the server's, whatever the clock of the device says."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async as make
from django.utils import timezone
from playwright.async_api import Page

from luckygas.testing.browser import sign_in, until
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


async def test_a_device_days_off_tells_the_servers_time(page: Page, site: Site) -> None:
    await opened(page, site)
    for off in (-DAY, DAY, 3_600_000, -1024 * 7 * DAY):
        assert abs(await error(page, f"set({off}); clock.hear(real(), 100)")) < 200


async def test_a_clock_that_is_set_back_after_the_server_was_heard_changes_nothing(page: Page, site: Site) -> None:
    await opened(page, site)
    assert abs(await error(page, "clock.hear(real(), 100); set(-3_600_000)")) < 200
    assert abs(await error(page, "clock.hear(real(), 100)")) < 200


async def test_an_answer_that_was_long_on_its_way_does_not_move_a_right_clock(page: Page, site: Site) -> None:
    await opened(page, site)
    assert abs(await error(page, "clock.hear(real(), 100); clock.hear(real() - 9_000, 9_500)")) < 200


async def test_what_was_heard_outlives_the_page_and_nonsense_changes_nothing(page: Page, site: Site) -> None:
    await opened(page, site)
    assert abs(await error(page, f"set({-DAY}); clock.hear(real(), 100); clock.hear(NaN); clock.hear(Infinity)")) < 200
    await page.reload()
    await page.evaluate(OPEN)
    assert abs(await error(page, f"set({-DAY})")) < 200
    kept: dict[str, Any] = json.loads(await page.evaluate("localStorage.getItem('luckygas:clock')"))
    assert set(kept) == {"behindMs", "heard"}
    await page.evaluate("localStorage.setItem('luckygas:clock', '{\"behindMs\": \"x\"}')")
    await page.reload()
    await page.evaluate(OPEN)
    assert await page.evaluate("clock.correction()") is None


async def test_a_clock_set_ahead_while_the_page_is_open_asks_the_server_before_another_day_begins(
    page: Page, site: Site
) -> None:
    await opened(page, site)
    await page.evaluate("clock.hear(real(), 100); window.days = []; clock.onNewDay((day) => days.push(day))")
    await page.evaluate(f"set({DAY})")
    await until(page, "days.length")
    assert await page.evaluate("Math.abs(clock.now() - real()) < 2000")
    assert await page.evaluate("days") == [str(timezone.localdate())]


async def test_a_device_that_slept_over_midnight_without_a_line_knows_the_day(page: Page, site: Site) -> None:
    await opened(page, site)
    await page.evaluate("clock.hear(real(), 100); clock.onNewDay((day) => (window.newDay = day))")
    await page.route("**/health/live", lambda route: route.abort())
    await page.evaluate(f"set({DAY})")
    await until(page, "(day) => window.newDay === day", str(timezone.localdate() + timedelta(days=1)))


async def test_another_day_begins_at_midnight(page: Page, site: Site) -> None:
    await opened(page, site)
    tomorrow = timezone.localdate() + timedelta(days=1)
    midnight = timezone.make_aware(datetime.combine(tomorrow, datetime.min.time())).timestamp() * 1000
    await page.evaluate("clock.onNewDay((day) => (window.newDay = day))")
    await page.evaluate("(midnight) => clock.hear(midnight - 1500, 0)", midnight)
    await until(page, "(day) => window.newDay === day", str(tomorrow))


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
        f"set({DAY}); import('/static/web/api.js').then(({{ ask }}) => ask('GET', 'orders/').catch(() => 0))"
    )
    await page.wait_for_function("clock.correction() !== null")
    assert abs(await error(page)) < 2_000
