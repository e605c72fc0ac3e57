"""`make screenshots`: takes the pictures in `docs/pictures/` from the demo, in Chinese. Needs a Chromium."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import ExitStack
from dataclasses import dataclass

from playwright.async_api import Browser, Page, async_playwright

from luckygas.testing.browser import Chromium
from luckygas.testing.demo_site import DemoSite
from luckygas.testing.site import ROOT

DIRECTORY = ROOT / "docs/pictures"
PHONE, DESK = (390, 844), (1280, 800)
# JPEG quality, 0–100. With this value a picture has at most 130 KB.
QUALITY = 60
# The pause before a picture, in which the page loads its map and opens its socket.
SETTLE_MS = 1_500


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture: name, user name (empty: signed out), path, size in pixels, and keys to type first."""

    name: str
    user: str
    path: str
    size: tuple[int, int] = DESK
    keys: str = ""


def shots(site: DemoSite) -> list[Shot]:
    """Returns the pictures to take, with ids and tokens from the demo's database."""
    with sqlite3.connect(site.directory / "db.sqlite3") as database:
        query = "SELECT id, tracking_token FROM orders_order WHERE status = ?"
        arriving, token = database.execute(query, ("arriving",)).fetchone()
        receipt = database.execute(query, ("delivered",)).fetchone()[1]
    return [
        Shot("board", "office", "/"),
        Shot("order", "office", f"/?order={arriving}"),
        Shot("new-order", "office", "/orders/new/", keys="0900"),
        Shot("driver", "driver", "/driver/", PHONE),
        Shot("track", "", f"/t/{token}/", PHONE),
        Shot("receipt", "", f"/t/{receipt}/", PHONE),
        Shot("statistics", "office", "/admin/orders/order/statistics/"),
        Shot("messages", "office", "/admin/notifications/notificationhistory/"),
        Shot("phones", "", f"{site.phones}/?lang=zh-hant"),
    ]


async def sign_in(page: Page, site: DemoSite, user: str) -> None:
    await page.goto(f"{site.url}/accounts/login/")
    await page.fill("[name=username]", user)
    await page.fill("[name=password]", f"{user}-demo")
    await page.click("form.card button[type=submit]")
    await page.wait_for_url(lambda url: "login" not in url)


async def take(browser: Browser, site: DemoSite, shot: Shot) -> None:
    width, height = shot.size
    context = await browser.new_context(
        locale="zh-TW", timezone_id="Asia/Taipei", viewport={"width": width, "height": height},
        geolocation={"latitude": 25.0330, "longitude": 121.5436}, permissions=["geolocation"],
    )  # fmt: skip
    page = await context.new_page()
    if shot.user:
        await sign_in(page, site, shot.user)
    await page.goto(shot.path if shot.path.startswith("http") else site.url + shot.path)
    await page.keyboard.type(shot.keys)
    await page.wait_for_timeout(SETTLE_MS)
    await page.screenshot(path=DIRECTORY / f"{shot.name}.jpg", quality=QUALITY, type="jpeg")
    await context.close()


async def take_all(site: DemoSite, chromium: Chromium) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.connect_over_cdp(chromium.url)
        for shot in shots(site):
            await take(browser, site, shot)


def main() -> None:
    chromium, site = Chromium(), DemoSite()
    with ExitStack() as stack:
        for server in (chromium, site):
            stack.callback(server.stop)
            server.start()
        asyncio.run(take_all(site, chromium))


if __name__ == "__main__":
    main()
