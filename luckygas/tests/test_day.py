"""A whole day on a running site: office, driver and customer in browsers. The server is killed and restarted midway."""

from __future__ import annotations

import asyncio

import pytest
from asgiref.sync import sync_to_async as make
from django.utils import timezone
from playwright.async_api import Page, expect

from dispatch.models import Driver
from luckygas.testing.browser import WAIT_MS
from luckygas.testing.site import Site
from notifications.models import NotificationHistory
from orders.models import Order
from orders.tests.factories import make_driver, make_product
from pages.tests.browser.board import Board
from pages.tests.browser.phone import Phone, driver_reports, wait_until_true

pytestmark = [pytest.mark.long, pytest.mark.django_db(transaction=True), pytest.mark.timeout(120)]
SHEET = """編號,客戶,電話,地址,商品,數量,配送日期,時段
A1,王小姐,0912-345-678,台北市大安區信義路四段1號,20kg 瓦斯桶,2,{day},上午
A2,林先生,0922-333-444,台北市大安區信義路四段9號,20kg 瓦斯桶,1,{day},下午
"""


@make
def all_orders() -> list[Order]:
    return list(Order.objects.select_related("customer").order_by("id"))


async def import_sheet(board: Board) -> list[Order]:
    """Imports SHEET on the office's page. Returns its orders."""
    await make(make_product)(name="20kg 瓦斯桶", price=800)
    await board.page.goto(f"{board.site.url}/admin/orders/order/import/")
    sheet = SHEET.format(day=timezone.localdate()).encode()
    await board.page.set_input_files("input[type=file]", {"name": "day.csv", "mimeType": "text/csv", "buffer": sheet})
    await board.page.check("[name=mode][value=good]")
    await board.page.click(".submit-row [type=submit]")
    await wait_until_true(lambda: Order.objects.count() == 2)
    await board.page.goto(board.site.url)
    await board.wait_until_ready()
    return await all_orders()


async def new_page(page: Page) -> Page:
    """Opens a page in another browser context, for another user."""
    browser = page.context.browser
    assert browser is not None
    context = await browser.new_context(locale="zh-TW", timezone_id="Asia/Taipei")
    context.set_default_timeout(WAIT_MS)
    return await context.new_page()


async def confirm_and_assign(board: Board, driver: Driver, order: Order) -> None:
    await board.card(order).drag_to(board.column("confirmed"))
    await board.wait_for_column(order, "confirmed")
    await board.card(order).drag_to(board.target("driver", driver.pk))
    await board.wait_for_column(order, "assigned")


async def kill_and_start(site: Site) -> None:
    site.kill()
    await asyncio.to_thread(site.start)


async def test_day_from_import_to_receipt(page: Page, site: Site) -> None:
    board = await Board(page, site).open()
    driver = await make(make_driver)(name="陳志明")
    orders = first, second = await import_sheet(board)
    await board.page.reload()
    await board.wait_for_cards(*orders)
    for order in orders:
        await confirm_and_assign(board, driver, order)

    phone = Phone(await new_page(page), site, driver)
    await phone.open()
    await phone.wait_until_installed()
    await phone.wait_for_text("#next h2", first.customer.name)
    customer = await new_page(page)
    await customer.goto(f"{site.url}/t/{first.tracking_token}/")
    await expect(customer.locator("#state")).to_have_attribute("data-status", "assigned")

    # The driver sets out online and delivers offline. The server is killed and restarted while the phone is offline.
    await phone.go("delivering")
    await board.wait_for_column(first, "delivering")
    await expect(customer.locator("#state")).to_have_attribute("data-status", "delivering")
    await phone.page.context.set_offline(True)
    await phone.go("arriving")
    await phone.go()
    await phone.page.locator("#proof-serial").fill("CYL-1")
    await phone.confirm()
    await phone.wait_for_text("#next h2", second.customer.name)
    await kill_and_start(site)
    await phone.page.context.set_offline(False)
    await phone.wait_for_server(first, "delivered")

    await board.wait_for_column(first, "delivered")
    await expect(customer.locator(".receipt")).to_be_visible()
    await check_delivered_once(first)

    # The driver delivers the second order online, and the clerk looks at the proof.
    for step in ("delivering", "arriving"):
        await phone.go(step)
    await phone.go()
    await phone.confirm()
    await phone.wait_for_server(second, "delivered")
    await board.wait_for_column(second, "delivered")
    await check_delivered_once(second)
    await board.page.goto(f"{site.url}/?order={first.pk}")
    await expect(board.page.locator("#drawer .proofs")).to_contain_text("CYL-1")


async def check_delivered_once(order: Order) -> None:
    """Checks that the driver's retries made no duplicates: each status once, one proof, no message twice."""
    await make(order.refresh_from_db)()
    statuses = [row.to_status for row in await driver_reports(order)]
    assert statuses == ["delivering", "arriving", "delivered"]
    assert await make(order.confirmations.count)() == 1
    kinds = NotificationHistory.objects.filter(order=order).values_list("kind", flat=True)
    expected = {"order_confirmed", "driver_on_the_way", "driver_arriving", "order_delivered"}
    await wait_until_true(lambda: NotificationHistory.objects.filter(order=order, kind="order_delivered").exists())
    found = await make(lambda: list(kinds))()
    assert len(found) == len(set(found))
    assert set(found) <= expected


async def test_boards_match_the_database_after_a_restart(page: Page, site: Site) -> None:
    """Two boards stay open while the server restarts. Neither misses a later change or shows an order twice."""
    board = await Board(page, site).open()
    driver = await make(make_driver)(name="陳志明")
    orders = await import_sheet(board)
    other = await board.open_for_second_clerk()
    await board.card(orders[0]).drag_to(board.target("driver", driver.pk))
    await other.wait_for_column(orders[0], "assigned")
    await kill_and_start(site)
    await make(orders[1].refresh_from_db)()
    await make(orders[1].transition_to)("confirmed")
    for screen in (board, other):
        await screen.wait_for_column(orders[1], "confirmed")
        await screen.wait_for_column(orders[0], "assigned")
        assert await screen.page.locator(".order").count() == 2
