"""`make screenshots`: every page as its readers see it, on the demo's day, for the README. Needs a Chromium.

Each page on a telephone and on a desk, light and dark, in Traditional Chinese.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright

from luckygas.testing.browser import Chromium
from luckygas.testing.site import ROOT, Site

PLACE = ROOT / ".screenshots"
SIZES = {"phone": (390, 844), "desk": (1280, 800)}
SCHEMES = ("light", "dark")
# What moves on the page (maps, sockets) has come to rest by then.
REST_MS = 1_500


@dataclass(frozen=True, slots=True)
class Shot:
    """One page: its name, whose it is (empty: nobody's), its path, and what is pressed before the picture is taken."""

    name: str
    who: str
    path: str
    keys: str = ""


def shots(directory: Path) -> list[Shot]:
    """The pages; the orders in them are those of the demo."""
    with sqlite3.connect(directory / "db.sqlite3") as database:
        query = "SELECT id, tracking_token FROM orders_order WHERE status = ?"
        arriving, token = database.execute(query, ("arriving",)).fetchone()
        receipt = database.execute(query, ("delivered",)).fetchone()[1]
    return [
        Shot("sign-in", "", "/accounts/login/"),
        Shot("board", "office", "/"),
        Shot("order", "office", f"/?order={arriving}"),
        Shot("new-order", "office", "/orders/new/", "0900"),
        Shot("driver", "driver", "/driver/"),
        Shot("track", "", f"/t/{token}/"),
        Shot("receipt", "", f"/t/{receipt}/"),
        Shot("admin-orders", "office", "/admin/orders/order/"),
        Shot("dashboard", "office", "/health/dashboard/"),
        Shot("admin-statistics", "office", "/admin/orders/order/statistics/"),
        Shot("admin-messages", "office", "/admin/notifications/notificationhistory/"),
    ]


def prepare(directory: Path) -> dict[str, str]:
    """A database of its own with the demo in it; the environment that names it."""
    database = f"sqlite:///{directory}/db.sqlite3"
    environment = os.environ | {"DATABASE_URL": database, "PYTHONPATH": str(ROOT), "LOG_LEVEL": "WARNING"}
    for command in (["migrate", "--verbosity", "0"], ["demo"]):
        made = [sys.executable, "manage.py", *command]
        subprocess.run(made, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
    return environment


class DemoSite(Site):
    """Started with the demo's own database and not with that of a test."""

    def environment(self) -> dict[str, str]:
        return self.extra | {"PYTHONPATH": str(ROOT)}


async def sign_in(page: Page, site: Site, who: str) -> None:
    await page.goto(f"{site.url}/accounts/login/")
    await page.fill("[name=username]", who)
    await page.fill("[name=password]", f"{who}-demo")
    await page.click("form.card button[type=submit]")
    await page.wait_for_url(lambda url: "login" not in url)


async def take(browser: Browser, site: Site, shot: Shot, size: str, scheme: str) -> None:
    width, height = SIZES[size]
    context = await browser.new_context(
        locale="zh-TW", timezone_id="Asia/Taipei", viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
    )  # fmt: skip
    page = await context.new_page()
    if shot.who:
        await sign_in(page, site, shot.who)
    await page.goto(site.url + shot.path)
    await page.keyboard.type(shot.keys)
    await page.wait_for_timeout(REST_MS)
    await page.screenshot(path=PLACE / f"{shot.name}-{size}-{scheme}.jpg", quality=70, type="jpeg")
    await context.close()


def index(names: list[str]) -> str:
    """The page that shows them all."""
    kinds = [(size, scheme) for size in SIZES for scheme in SCHEMES]
    head = "| page | " + " | ".join(f"{size}, {scheme}" for size, scheme in kinds) + " |"
    rows = [
        f"| {name} | " + " | ".join(f"![{name}]({name}-{size}-{scheme}.jpg)" for size, scheme in kinds) + " |"
        for name in names
    ]
    return "\n".join(
        ["# All pages", "", "By `make screenshots`, on the demo's day.", "", head, "|---" * 5 + "|", *rows, ""]
    )


async def take_all(site: Site, chromium: Chromium, directory: Path) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.connect_over_cdp(chromium.url)
        taken = shots(directory)
        (PLACE / "README.md").write_text(index([shot.name for shot in taken]))
        for shot in taken:
            for size in SIZES:
                for scheme in SCHEMES:
                    await take(browser, site, shot, size, scheme)


def main() -> None:
    PLACE.mkdir(exist_ok=True)
    chromium = Chromium()
    environment = prepare(chromium.directory)
    site = DemoSite(**environment)
    with ExitStack() as stack:
        for server in (chromium, site):
            stack.callback(server.stop)
            server.start()
        asyncio.run(take_all(site, chromium, chromium.directory))


if __name__ == "__main__":
    main()
