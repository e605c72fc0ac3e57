from __future__ import annotations

import pytest_asyncio
from asgiref.sync import sync_to_async as make
from playwright.async_api import Page

from dispatch.models import Driver
from luckygas.testing.site import Site
from orders.tests.factories import make_driver, make_user
from pages.tests.browser.phone import Phone


@pytest_asyncio.fixture(loop_scope="session")
async def driver(db: None) -> Driver:
    return await make(make_driver)(user=await make(make_user)(first_name="陳志明"))


@pytest_asyncio.fixture(loop_scope="session")
async def phone(page: Page, site: Site, driver: Driver) -> Phone:
    return Phone(page, site, driver)
