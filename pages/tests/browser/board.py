"""A page object for the dispatch board in a browser."""

from __future__ import annotations

import json
import re
from typing import Any

from asgiref.sync import sync_to_async as make
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.async_api import Locator, Page

from dispatch.models import Driver, Route
from luckygas.testing.browser import sign_in, until
from luckygas.testing.site import Site
from orders.models import Order
from orders.tests.factories import make_office, make_order

WHITESPACE = re.compile(r"\s+")


def make_order_today(status: str = "pending", **fields: Any) -> Order:
    return make_order(status, **({"scheduled_date": timezone.localdate()} | fields))


class Board:
    """The dispatch board in one browser page. It is in English, so that tests do not depend on translations."""

    def __init__(self, page: Page, site: Site) -> None:
        self.page = page
        self.site = site

    async def open(self, path: str = "/", user: User | None = None) -> Board:
        # Wide enough for all columns, because a drag does not scroll.
        await self.page.set_viewport_size({"width": 1760, "height": 900})
        await self.page.context.add_cookies([{"name": "django_language", "value": "en", "url": self.site.url}])
        user = user or await make(make_office)(is_superuser=True)
        await sign_in(self.page, self.site, user, path)
        return await self.wait_until_ready()

    async def wait_until_ready(self) -> Board:
        await self.page.wait_for_selector("#board[data-ready]")
        return self

    async def open_for_second_clerk(self) -> Board:
        """Opens the board of a second clerk, in a browser context of its own."""
        browser = self.page.context.browser
        assert browser is not None
        context = await browser.new_context(locale="zh-TW", timezone_id="Asia/Taipei")
        return await Board(await context.new_page(), self.site).open()

    def card(self, order: Order) -> Locator:
        return self.page.locator(f'.order[data-id="{order.pk}"]')

    def column(self, status: str) -> Locator:
        return self.page.locator(f'.column[data-status="{status}"]')

    def target(self, kind: str, pk: int) -> Locator:
        return self.page.locator(f'[data-target="{kind}:{pk}"]')

    async def wait_for_column(self, order: Order, status: str) -> None:
        """Waits until the order's card is in the column of this status, and is not busy."""
        card = f'.column[data-status="{status}"] .order[data-id="{order.pk}"]:not([aria-busy="true"])'
        await self.page.wait_for_selector(card, state="attached")

    async def wait_for_cards(self, *orders: Order) -> None:
        """Waits until exactly these cards are shown, in any order."""
        shown = "[...document.querySelectorAll('.order')].map((card) => Number(card.dataset.id)).sort((a, b) => a - b)"
        await until(self.page, f"(ids) => {shown}.join() === ids.join()", sorted(order.pk for order in orders))

    async def wait_for_fleet(self, counts: dict[Driver, int], routes: list[Route]) -> None:
        """Waits until the drivers have these order counts, and exactly these routes are shown."""
        shown = """() => JSON.stringify([
          [...document.querySelectorAll('.drivers li')].map((row) =>
            [row.dataset.target, Number(row.querySelector('[data-field=count]').textContent)]).sort(),
          [...document.querySelectorAll('.routes li')].map((row) => row.dataset.target).sort()])"""
        drivers = sorted([f"driver:{driver.pk}", count] for driver, count in counts.items())
        wanted = json.dumps([drivers, sorted(f"route:{route.pk}" for route in routes)], separators=(",", ":"))
        await until(self.page, f"(wanted) => ({shown})() === wanted", wanted)

    async def text(self, order: Order) -> str:
        return WHITESPACE.sub(" ", await self.card(order).inner_text())

    async def wait_for_toast(self, text: str) -> Locator:
        """Waits for a toast with this text, and returns the newest one."""
        toast = self.page.locator(".toast", has_text=text).last
        await toast.wait_for()
        return toast

    async def focus(self, order: Order) -> None:
        await self.card(order).locator("a").focus()

    async def focused_order(self) -> int:
        """The id of the order whose card has the focus; 0 if none."""
        return int(await self.page.evaluate("Number(document.activeElement.closest('.order')?.dataset.id ?? 0)"))

    async def choose(self, label: str, *, exact: bool = True) -> None:
        """Chooses an option in the dialog “Move…”."""
        await self.page.locator("#move").get_by_label(label, exact=exact).check()


async def status_of(order: Order) -> str:
    await make(order.refresh_from_db)()
    return order.status
