"""README's ten minutes in a real browser: the texts to type and the labels to press are read from README."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from luckygas.testing.demo_site import DemoSite
from luckygas.testing.servers import running
from luckygas.tests.docs import README

pytestmark = pytest.mark.long
TEXT = README.read_text()
# The driver's page ignores a second tap within 600 ms.
DOUBLE_TAP_MS = 700
# The English labels with their Chinese ones, from “**Start** (出發)”. The tests' browser asks for Chinese.
LABELS = dict(re.findall(r"\*\*([^*]+)\*\* \(([^)]+)\)", TEXT))


@pytest_asyncio.fixture(loop_scope="session")
async def run() -> AsyncIterator[DemoSite]:
    with running(DemoSite()) as server:
        yield server


async def sign_in(page: Page, url: str, name: str) -> None:
    await page.goto(url)
    await page.locator("[name=username]").fill(name)
    await page.locator("[name=password]").fill(f"{name}-demo")
    await page.get_by_role("button", name="登入").click()


async def other_window(page: Page) -> Page:
    browser = page.context.browser
    assert browser is not None
    return await (await browser.new_context(locale="zh-TW", timezone_id="Asia/Taipei")).new_page()


def column(board: Page, label: str) -> Locator:
    return board.locator(".column", has=board.get_by_role("heading", name=re.compile(f"^{LABELS[label]}")))


async def test_readme_steps_work_in_a_browser(page: Page, run: DemoSite) -> None:
    # Wide enough for all columns, because a drag does not scroll.
    await page.set_viewport_size({"width": 1760, "height": 900})
    await sign_in(page, run.url, "office")
    await page.get_by_role("searchbox").first.fill(re.findall(r"Type `(.+?)`", TEXT)[0])
    card = page.locator(".order:visible")
    await expect(card).to_have_count(1)
    number = await card.get_attribute("data-id")
    card = page.locator(f'.order[data-id="{number}"]')
    await card.drag_to(column(page, "Confirmed"))
    await expect(column(page, "Confirmed").locator(card)).to_be_visible()

    telephones = await page.context.new_page()
    await telephones.goto(run.phones)
    newest = telephones.locator(".telephones li").first
    await expect(newest).to_have_class("delivered")
    await expect(newest.locator(".bubble")).to_contain_text("訂單")

    driver = re.findall(r"to the driver (\w+)", TEXT)[0]
    await card.drag_to(page.locator(".drivers li", has_text=driver))
    await expect(column(page, "Assigned").locator(card)).to_be_visible()

    phone = await other_window(page)
    await sign_in(phone, f"{run.url}/driver/", "driver3")
    await phone.get_by_role("button", name=LABELS["Start"]).click()
    await expect(column(page, "Out for delivery").locator(card)).to_be_visible()

    await expect(newest.locator(".bubble")).to_contain_text("/t/")
    link = re.findall(r"https?://\S+", await newest.locator(".bubble").inner_text())[0]
    customer = await other_window(page)
    await customer.goto(link)
    await expect(customer.locator("[data-status=delivering]").first).to_be_visible()

    for label in ("Arriving", "Delivered", "Confirm the delivery"):
        await phone.wait_for_timeout(DOUBLE_TAP_MS)
        await phone.get_by_role("button", name=LABELS[label], exact=True).click()
    await expect(customer.locator(".card.receipt")).to_be_visible()
    await expect(column(page, "Delivered").locator(card)).to_be_attached()

    await page.get_by_text(LABELS["All tools"]).click()
    await page.get_by_role("link", name=LABELS["Statistics"]).click()
    await expect(page.locator("tr", has_text=driver)).to_contain_text("1")
