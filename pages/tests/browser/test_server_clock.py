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


@pytest.mark.parametrize("off", [-DAY, DAY])
async def test_today_beside_a_date_of_the_admin_is_the_servers(page: Page, site: Site, off: int) -> None:
    await give_clock(page, off)
    await sign_in(page, site, await make(make_office)(is_superuser=True), "/admin/dispatch/route/add/")
    await page.locator(".field-date .datetimeshortcuts a").first.click()
    shown = await page.input_value("[name=date]")
    assert shown.replace("/", "-") == str(timezone.localdate())
