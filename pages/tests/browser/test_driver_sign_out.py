"""The driver's page when its user signs out, is signed out, or is replaced by another driver."""

from __future__ import annotations

import pytest
from asgiref.sync import sync_to_async as make

from dispatch.models import Driver
from luckygas.testing.browser import sign_in, until
from luckygas.testing.site import Site
from orders.states import OrderStatus
from orders.tests.factories import PASSWORD, make_driver
from pages.tests.browser.phone import Phone, make_stop, reload_order

pytestmark = pytest.mark.django_db(transaction=True)


# Counts the stops and reports stored on the phone, and checks whether the page is cached.
STORED = """async (user) => {
  const opening = indexedDB.open(`lucky-gas-driver-${user}`);
  const db = await new Promise((resolve) => (opening.onsuccess = () => resolve(opening.result)));
  const count = (name) => new Promise((resolve) => {
    const request = db.transaction(name).objectStore(name).count();
    request.onsuccess = () => resolve(request.result);
  });
  const found = [await count("stops"), await count("queue"), await caches.has("driver-pages")];
  db.close();
  return found;
}"""


async def stored_data(phone: Phone) -> list[object]:
    """The numbers of stored stops and reports, and whether the page is cached."""
    stored: list[object] = await phone.page.evaluate(STORED, phone.driver.user.pk)
    return stored


async def test_second_driver_does_not_see_or_send_the_firsts_data(phone: Phone, driver: Driver, site: Site) -> None:
    order = await make(make_stop)(driver)
    other = await make(make_driver)()
    await phone.open()
    await phone.wait_until_installed()
    await phone.page.context.set_offline(True)
    await phone.go("delivering")
    # The second driver signs in although the first has not signed out; the old page is still open.
    await phone.page.context.clear_cookies(name="sessionid")
    second = await phone.page.context.new_page()
    await phone.page.context.set_offline(False)
    await sign_in(second, site, other.user, "/driver/")
    await until(second, "document.querySelector('#nothing')?.checkVisibility()")
    # The old page notices the new user and shows their stops.
    await phone.page.locator("#nothing").wait_for()
    assert order.customer.name not in await phone.text("main")
    assert await phone.page.locator("#waiting").is_hidden()
    assert (await reload_order(order)).status == OrderStatus.ASSIGNED
    await second.close()
    # The old page is closed. The first driver signs in again, and the page sends their waiting reports.
    await phone.page.goto("about:blank")
    await sign_in(phone.page, site, driver.user, "/driver/")
    await phone.wait_for_server(order, "delivering")


async def test_sign_out_warns_of_waiting_reports_and_deletes_the_stops(phone: Phone, driver: Driver) -> None:
    order = await make(make_stop)(driver)
    await phone.open()
    await phone.wait_until_installed()
    await phone.page.context.route("**/api/v1/orders/*/status/", lambda route: route.abort())
    await phone.go("delivering")
    await phone.page.locator(".account summary").click()
    leave = phone.page.locator("#sign-out button")
    await leave.click()
    await phone.page.locator("#leave [value=stay]").click()
    assert await phone.page.locator("#leave").is_hidden()
    await phone.page.context.set_offline(True)
    await leave.click()
    await phone.page.locator("#leave [value=leave]").click()
    await phone.wait_for_text("notification-toasts", "still signed in")
    await phone.wait_for_text("#next h2", order.customer.name)
    await phone.page.context.set_offline(False)
    await leave.click()
    await phone.page.locator("#leave [value=leave]").click()
    await phone.page.wait_for_url("**/accounts/login/")
    assert await stored_data(phone) == [0, 1, False]
    await phone.page.context.unroute("**/api/v1/orders/*/status/")
    await phone.page.fill("[name=username]", driver.user.username)
    await phone.page.fill("[name=password]", PASSWORD)
    await phone.page.locator("form.card [type=submit]").click()
    await phone.wait_for_server(order, "delivering")


async def test_sign_out_on_another_page_deletes_the_stops(phone: Phone, driver: Driver) -> None:
    await make(make_stop)(driver)
    await phone.open()
    await phone.wait_until_installed()
    await phone.page.goto(f"{phone.site.url}/accounts/password/change/")
    assert await stored_data(phone) == [1, 0, True]
    await phone.page.locator("form[action$='/logout/'] button").evaluate("(button) => button.click()")
    await phone.page.wait_for_url("**/accounts/login/")
    await until(phone.page, f"({STORED})({driver.user.pk}).then((stored) => stored.join() === '0,0,false')")


async def test_page_asks_to_sign_in_after_the_session_expired(phone: Phone, driver: Driver) -> None:
    order = await make(make_stop)(driver)
    await phone.open()
    await phone.page.context.clear_cookies(name="sessionid")
    await phone.go("delivering")
    await phone.page.locator("#sign-in").wait_for()
    assert await phone.count_waiting() == 1
    await phone.page.locator("#sign-in a").click()
    await phone.page.fill("[name=username]", driver.user.username)
    await phone.page.fill("[name=password]", PASSWORD)
    await phone.page.locator("form.card [type=submit]").click()
    await phone.wait_for_server(order, "delivering")
