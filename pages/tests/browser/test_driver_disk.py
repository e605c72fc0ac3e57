"""The driver's page where the browser closes its database, throws it away, or has none: no report is lost by it."""

from __future__ import annotations

import pytest
from asgiref.sync import sync_to_async as make
from playwright.async_api import Page

from dispatch.models import Driver
from luckygas.testing.browser import until
from orders.models import Order
from orders.states import Status
from pages.tests.browser.phone import Phone, make_stop, reports, until_true

pytestmark = pytest.mark.django_db(transaction=True)
# Every connection of the page, so that a test can do to it what a browser does.
CONNECTIONS = """
window.connections = [];
const open = IDBFactory.prototype.open;
IDBFactory.prototype.open = function (...values) {
  if (window.isBroken) throw new DOMException("Connection to Indexed Database server lost.", "UnknownError");
  const asked = open.apply(this, values);
  asked.addEventListener("success", () => connections.push(asked.result));
  return asked;
};
"""
CLOSED = "connections.forEach((db) => db.close())"
LOST = """connections.forEach((db) => (db.transaction = () => {
  throw new DOMException("Connection to Indexed Database server lost.", "UnknownError");
}))"""
ABORTED = """connections.forEach((db) => {
  const begin = db.transaction;
  db.transaction = (...values) => {
    const transaction = begin.apply(db, values);
    transaction.abort();
    return transaction;
  };
})"""
COUNT = """() => new Promise((resolve) => {
  const asked = connections.at(-1).transaction("queue").objectStore("queue").count();
  asked.onsuccess = () => resolve(asked.result);
})"""
BROKEN = f"window.isBroken = true; {LOST}"
WHOLE = "window.isBroken = false"
DELETED = """(user) => new Promise((resolve, reject) => {
  const asked = indexedDB.deleteDatabase(`lucky-gas-driver-${user}`);
  asked.onsuccess = resolve;
  asked.onblocked = asked.onerror = reject;
})"""


async def opened(phone: Phone) -> Page:
    await phone.page.add_init_script(CONNECTIONS)
    await phone.open()
    await phone.installed()
    return phone.page


async def clear(phone: Phone) -> None:
    """Throws the origin's data away, as a browser does that needs room."""
    session = await phone.page.context.new_cdp_session(phone.page)
    await session.send("Storage.clearDataForOrigin", {"origin": phone.site.url, "storageTypes": "indexeddb"})


@pytest.mark.parametrize(
    "trouble",
    [CLOSED, *(pytest.param(how, marks=pytest.mark.long) for how in (LOST, ABORTED))],
    ids=["closed", "lost", "aborted"],
)
async def test_a_database_that_the_browser_closed_is_opened_again(phone: Phone, driver: Driver, trouble: str) -> None:
    order = await make(make_stop)(driver)
    page = await opened(phone)
    await page.context.set_offline(True)
    await phone.go("delivering")
    await page.evaluate(trouble)
    await phone.go("arriving")
    assert await page.locator("#waiting li").count() == 2
    assert await page.locator("notification-toasts .toast").count() == 0
    assert await page.locator("#unkept").is_hidden()
    await page.reload()
    await until(page, "document.querySelectorAll('#waiting li').length === 2")
    await page.evaluate(trouble)
    await page.context.set_offline(False)
    await phone.server_has(order, "arriving")
    assert [row.to_status for row in await reports(order)] == ["delivering", "arriving"]


async def test_what_waits_outlives_that_the_browser_throws_the_database_away(phone: Phone, driver: Driver) -> None:
    order, other = await make(make_stop)(driver), await make(make_stop)(driver)
    page = await opened(phone)
    await page.context.set_offline(True)
    await phone.go("delivering")
    await phone.go("arriving")
    await clear(phone)
    await phone.press("failed")
    await page.locator("#failed input[type=radio]").first.check()
    await page.locator("#failed [type=submit]").click()
    await phone.shows("#done .stop", order.customer.name)
    await page.reload()
    await until(page, "document.querySelectorAll('#waiting li').length === 3")
    # The stops too.
    await phone.shows("#next h2", other.customer.name)
    await page.context.set_offline(False)
    await phone.server_has(order, "failed")
    assert [row.to_status for row in await reports(order)] == ["delivering", "arriving", "failed"]


@pytest.mark.long
async def test_what_waits_is_written_again_when_nobody_touches_the_page(phone: Phone, driver: Driver) -> None:
    order = await make(make_stop)(driver)
    page = await opened(phone)
    await page.context.set_offline(True)
    await phone.deliver("CYL-1")
    before = await page.evaluate("connections.length")
    await clear(phone)
    await until(page, f"connections.length > {before}")
    await until(page, f"({COUNT})().then((count) => count === 4)")
    await page.reload()
    await until(page, "document.querySelectorAll('#waiting li').length === 4")
    await page.context.set_offline(False)
    await phone.server_has(order, "delivered")


@pytest.mark.long
async def test_who_deletes_the_database_need_not_wait_and_the_next_press_is_kept(phone: Phone, driver: Driver) -> None:
    order = await make(make_stop)(driver)
    page = await opened(phone)
    await page.context.set_offline(True)
    await phone.go("delivering")
    await page.evaluate(DELETED, driver.user.pk)
    await phone.go("arriving")
    await page.reload()
    await until(page, "document.querySelectorAll('#waiting li').length === 2")
    await page.context.set_offline(False)
    await phone.server_has(order, "arriving")


@pytest.mark.long
async def test_without_a_database_reports_are_sent_over_the_line_and_the_driver_is_told(
    phone: Phone, driver: Driver
) -> None:
    order = await make(make_stop)(driver)
    page = await opened(phone)
    await page.evaluate(BROKEN)
    await page.context.route("**/status/", lambda route: route.abort())
    await phone.go("delivering")
    await phone.shows("#unkept", "leave this page open")
    assert await page.locator("#waiting li").count() == 1
    await page.context.unroute("**/status/")
    await phone.server_has(order, "delivering")
    # It works again: what the page alone has is written, and the notice goes.
    await page.context.route("**/status/", lambda route: route.abort())
    await phone.go("arriving")
    await page.locator("#unkept").wait_for()
    await page.evaluate(WHOLE)
    await page.locator("#unkept").wait_for(state="hidden")
    await page.reload()
    await until(page, "document.querySelectorAll('#waiting li').length === 1")
    await page.context.unroute("**/status/")
    await phone.server_has(order, "arriving")
    assert [row.to_status for row in await reports(order)] == ["delivering", "arriving"]


@pytest.mark.long
async def test_what_waited_before_the_database_broke_is_sent(phone: Phone, driver: Driver) -> None:
    first, second = await make(make_stop)(driver), await make(make_stop)(driver)
    page = await opened(phone)
    await page.context.set_offline(True)
    await phone.go("delivering")
    await phone.choose()
    await phone.go("delivering")
    await page.evaluate(BROKEN)
    await page.context.set_offline(False)
    await until_true(lambda: Order.objects.filter(status=Status.DELIVERING).count() == 2)
    await phone.server_has(first, "delivering")
    await phone.server_has(second, "delivering")
    assert await page.locator(".pending:visible").count() == 0


async def test_who_signs_out_is_told_what_would_be_lost(phone: Phone, driver: Driver) -> None:
    await make(make_stop)(driver)
    page = await opened(phone)
    await page.evaluate(BROKEN)
    await page.context.route("**/status/", lambda route: route.abort())
    await phone.go("delivering")
    await page.locator("#unkept").wait_for()
    await page.locator(".account summary").click()
    await page.locator("#sign-out button").click()
    await phone.shows("#leave", "lost when you sign out")
