"""The driver's page when the browser closes, deletes or refuses its database: no report is lost."""

from __future__ import annotations

import pytest
from asgiref.sync import sync_to_async as make
from playwright.async_api import Page

from dispatch.models import Driver
from luckygas.testing.browser import until
from orders.models import Order
from orders.states import OrderStatus
from pages.tests.browser.phone import Phone, driver_reports, make_stop, reload_order, wait_until_true

pytestmark = pytest.mark.django_db(transaction=True)


# Records every database connection of the page, so that a test can break the connections as a browser would.
CONNECTIONS = """
window.connections = [];
const open = IDBFactory.prototype.open;
IDBFactory.prototype.open = function (...values) {
  if (window.isBroken) throw new DOMException("Connection to Indexed Database server lost.", "UnknownError");
  const opening = open.apply(this, values);
  opening.addEventListener("success", () => connections.push(opening.result));
  return opening;
};
"""
# These break the open connections: closed, failing at once, or aborting every transaction.
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
# Counts the stored reports.
COUNT = """() => new Promise((resolve) => {
  const request = connections.at(-1).transaction("queue").objectStore("queue").count();
  request.onsuccess = () => resolve(request.result);
})"""
# The database cannot be used until MEND.
BREAK = f"window.isBroken = true; {LOST}"
MEND = "window.isBroken = false"
# Deletes the database as another tab would.
DELETE = """(user) => new Promise((resolve, reject) => {
  const deletion = indexedDB.deleteDatabase(`lucky-gas-driver-${user}`);
  deletion.onsuccess = resolve;
  deletion.onblocked = deletion.onerror = reject;
})"""


async def open_with_connections(phone: Phone) -> Page:
    await phone.page.add_init_script(CONNECTIONS)
    await phone.open()
    await phone.wait_until_installed()
    return phone.page


async def clear_databases(phone: Phone) -> None:
    """Deletes the site's databases, as a browser does when it needs space."""
    session = await phone.page.context.new_cdp_session(phone.page)
    await session.send("Storage.clearDataForOrigin", {"origin": phone.site.url, "storageTypes": "indexeddb"})


@pytest.mark.parametrize(
    "fault",
    [CLOSED, *(pytest.param(how, marks=pytest.mark.long) for how in (LOST, ABORTED))],
    ids=["closed", "lost", "aborted"],
)
async def test_closed_database_is_reopened(phone: Phone, driver: Driver, fault: str) -> None:
    order = await make(make_stop)(driver)
    page = await open_with_connections(phone)
    await page.context.set_offline(True)
    await phone.go("delivering")
    await page.evaluate(fault)
    await phone.go("arriving")
    assert await page.locator("#waiting li").count() == 2
    assert await page.locator("notification-toasts .toast").count() == 0
    assert await page.locator("#unsaved").is_hidden()
    await page.reload()
    await until(page, "document.querySelectorAll('#waiting li').length === 2")
    await page.evaluate(fault)
    await page.context.set_offline(False)
    await phone.wait_for_server(order, "arriving")
    assert [row.to_status for row in await driver_reports(order)] == ["delivering", "arriving"]


async def test_waiting_reports_survive_if_the_browser_deletes_the_database(phone: Phone, driver: Driver) -> None:
    order, other = await make(make_stop)(driver), await make(make_stop)(driver)
    page = await open_with_connections(phone)
    await page.context.set_offline(True)
    await phone.go("delivering")
    await phone.go("arriving")
    await clear_databases(phone)
    await phone.press("failed")
    await page.locator("#failed input[type=radio]").first.check()
    await page.locator("#failed [type=submit]").click()
    await phone.wait_for_text("#done .stop", order.customer.name)
    await page.reload()
    await until(page, "document.querySelectorAll('#waiting li').length === 3")
    # The page stored the stops again.
    await phone.wait_for_text("#next h2", other.customer.name)
    await page.context.set_offline(False)
    await phone.wait_for_server(order, "failed")
    assert [row.to_status for row in await driver_reports(order)] == ["delivering", "arriving", "failed"]


@pytest.mark.long
async def test_idle_page_stores_its_reports_again_after_a_deletion(phone: Phone, driver: Driver) -> None:
    order = await make(make_stop)(driver)
    page = await open_with_connections(phone)
    await page.context.set_offline(True)
    await phone.deliver("CYL-1")
    before = await page.evaluate("connections.length")
    await clear_databases(phone)
    await until(page, f"connections.length > {before}")
    await until(page, f"({COUNT})().then((count) => count === 4)")
    await page.reload()
    await until(page, "document.querySelectorAll('#waiting li').length === 4")
    await page.context.set_offline(False)
    await phone.wait_for_server(order, "delivered")


@pytest.mark.long
async def test_other_tab_can_delete_the_database_and_next_report_is_stored(phone: Phone, driver: Driver) -> None:
    order = await make(make_stop)(driver)
    page = await open_with_connections(phone)
    await page.context.set_offline(True)
    await phone.go("delivering")
    await page.evaluate(DELETE, driver.user.pk)
    await phone.go("arriving")
    await page.reload()
    await until(page, "document.querySelectorAll('#waiting li').length === 2")
    await page.context.set_offline(False)
    await phone.wait_for_server(order, "arriving")


@pytest.mark.long
async def test_page_without_a_database_warns_and_sends_reports(phone: Phone, driver: Driver) -> None:
    order = await make(make_stop)(driver)
    page = await open_with_connections(phone)
    await page.evaluate(BREAK)
    await page.context.route("**/status/", lambda route: route.abort())
    await phone.go("delivering")
    await phone.wait_for_text("#unsaved", "Keep this page open")
    assert await page.locator("#waiting li").count() == 1
    await page.context.unroute("**/status/")
    await phone.wait_for_server(order, "delivering")
    # The database works again: the page writes its unsaved reports, and the notice disappears.
    await page.context.route("**/status/", lambda route: route.abort())
    await phone.go("arriving")
    await page.locator("#unsaved").wait_for()
    await page.evaluate(MEND)
    await page.locator("#unsaved").wait_for(state="hidden")
    await page.reload()
    await until(page, "document.querySelectorAll('#waiting li').length === 1")
    await page.context.unroute("**/status/")
    await phone.wait_for_server(order, "arriving")
    assert [row.to_status for row in await driver_reports(order)] == ["delivering", "arriving"]


@pytest.mark.long
async def test_reports_stored_before_a_database_failure_are_sent(phone: Phone, driver: Driver) -> None:
    first, second = await make(make_stop)(driver), await make(make_stop)(driver)
    page = await open_with_connections(phone)
    await page.context.set_offline(True)
    await phone.go("delivering")
    await phone.choose()
    await phone.go("delivering")
    await page.evaluate(BREAK)
    await page.context.set_offline(False)
    await wait_until_true(lambda: Order.objects.filter(status=OrderStatus.DELIVERING).count() == 2)
    await phone.wait_for_server(first, "delivering")
    await phone.wait_for_server(second, "delivering")
    assert await page.locator(".pending:visible").count() == 0


async def test_sign_out_warns_of_unsaved_reports(phone: Phone, driver: Driver) -> None:
    await make(make_stop)(driver)
    page = await open_with_connections(phone)
    await page.evaluate(BREAK)
    await page.context.route("**/status/", lambda route: route.abort())
    await phone.go("delivering")
    await page.locator("#unsaved").wait_for()
    await page.locator(".account summary").click()
    await page.locator("#sign-out button").click()
    await phone.wait_for_text("#leave", "lost if you sign out")


# Every access to a database fails.
NO_DISK = """
IDBFactory.prototype.open = () => {
  throw new DOMException("The disk is broken.", "UnknownError");
};
"""
# Every write to a database fails.
FULL_DISK = """
for (const name of ["add", "put"]) IDBObjectStore.prototype[name] = function () {
  this.transaction.abort();
};
"""


@pytest.mark.long
@pytest.mark.parametrize("fault", [NO_DISK, FULL_DISK])
async def test_page_without_storage_sends_reports_at_once_and_refuses_them_offline(
    phone: Phone, driver: Driver, fault: str
) -> None:
    order = await make(make_stop)(driver)
    await phone.page.add_init_script(fault)
    await phone.open()
    await phone.page.locator("#unsaved").wait_for()
    await phone.go("delivering")
    await phone.wait_for_server(order, "delivering")
    await phone.page.context.set_offline(True)
    await phone.go()
    await phone.wait_for_text("notification-toasts", "could not save the report")
    assert await phone.page.locator("#waiting").is_hidden()
    assert (await reload_order(order)).status == OrderStatus.DELIVERING
