"""The driver's page offline: it opens, stores reports, and sends each once."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from asgiref.sync import sync_to_async as make
from playwright.async_api import APIResponse, Page, Route

from dispatch.models import Driver
from luckygas.testing.browser import sign_in, until
from luckygas.testing.site import Site
from luckygas.testing.waiting import wait_for_async
from notifications.models import NotificationHistory
from orders.models import Order, OrderStatusChange, ProofImage
from orders.states import OrderStatus
from orders.tests.factories import PASSWORD, make_driver
from pages.tests.browser.phone import Phone, driver_reports, make_stop, reload_order, wait_until_true

pytestmark = pytest.mark.django_db(transaction=True)


# Sets the phone's clock two hours back, so that reports look as if the phone had been offline for that long.
TWO_HOURS_AGO = """() => {
  const now = Date.now;
  Date.now = () => now() - 7_200_000;
}"""


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


async def count_waiting(phone: Phone) -> int:
    return await phone.page.locator("#waiting li").count()


async def test_offline_delivery_survives_a_reload_and_is_sent_once(phone: Phone, driver: Driver) -> None:
    first, second = await make(make_stop)(driver), await make(make_stop)(driver)
    await phone.open()
    await phone.wait_until_installed()
    await phone.page.context.set_offline(True)
    phone.site.kill()
    await phone.page.evaluate(TWO_HOURS_AGO)
    await make(first.history.update)(at=first.created_at - timedelta(hours=3))
    await make(Order.objects.filter(pk=first.pk).unannounced().update)(created_at=first.created_at - timedelta(hours=3))
    await phone.deliver("CYL-1")
    await phone.wait_for_text("#done .stop .pending", "")
    assert await count_waiting(phone) == 4
    await phone.page.reload()
    await phone.wait_for_text("#next h2", second.customer.name)
    await phone.wait_for_text("#done .stop", first.customer.name)
    await phone.page.locator("#stale").wait_for()
    assert await count_waiting(phone) == 4
    await asyncio.to_thread(phone.site.start)
    await phone.page.context.set_offline(False)
    await phone.wait_for_server(first, "delivered")
    changes = await driver_reports(first)
    assert [(row.to_status, row.source, row.sent_later) for row in changes] == [
        ("delivering", "page", True), ("arriving", "page", True), ("delivered", "page", True),
    ]  # fmt: skip
    assert timedelta(hours=1, minutes=58) < changes[0].recorded_at - changes[0].at < timedelta(hours=2, minutes=2)
    assert changes[0].at <= changes[1].at <= changes[2].at
    proof = await make(first.confirmations.get)()
    assert (proof.confirmation_type, proof.cylinder_serials) == ("signature", ["CYL-1"])
    assert await make(ProofImage.objects.filter(order=first).count)() == 1
    await phone.wait_until_live()
    assert await phone.page.locator(".pending:visible").count() == 0


@pytest.mark.long
async def test_reports_are_sent_once_although_the_server_is_killed(phone: Phone, driver: Driver) -> None:
    stops = [await make(make_stop)(driver) for _ in range(3)]
    await phone.open()
    await phone.page.context.set_offline(True)
    for number in range(3):
        await phone.deliver(f"CYL-{number}")
    await phone.page.context.set_offline(False)
    await wait_until_true(lambda: OrderStatusChange.objects.filter(to_status=OrderStatus.DELIVERED).exists())
    phone.site.kill()
    await asyncio.to_thread(phone.site.start)
    for stop in stops:
        await phone.wait_for_server(stop, "delivered")
        assert [row.to_status for row in await driver_reports(stop)] == ["delivering", "arriving", "delivered"]
    assert await make(ProofImage.objects.count)() == 3


async def test_lost_response_is_retried_with_the_same_ref(phone: Phone, driver: Driver) -> None:
    order = await make(make_stop)(driver)
    lost: list[APIResponse] = []

    async def lose(route: Route) -> None:
        if lost:
            await route.continue_()
            return
        lost.append(await route.fetch())
        await route.abort()

    await phone.page.context.route("**/status/", lose)
    await phone.open()
    await phone.go("delivering")
    await phone.wait_for_server(order, "delivering")
    assert len(lost) == 1
    assert [row.to_status for row in await driver_reports(order)] == ["delivering"]


FAULT = {"status": 500, "body": "{}"}
LOCKED_ERROR = {"code": "row_locked", "detail": "Someone else is changing this.", "attr": None}
LOCKED = {
    "status": 503, "headers": {"Retry-After": "1"}, "json": {"type": "server_error", "errors": [LOCKED_ERROR]}
}  # fmt: skip


@pytest.mark.parametrize("answer", [pytest.param(FAULT, marks=pytest.mark.long), LOCKED], ids=["fault", "row_locked"])
async def test_failing_report_does_not_block_other_stops(phone: Phone, driver: Driver, answer: dict[str, Any]) -> None:
    failing, other = await make(make_stop)(driver), await make(make_stop)(driver)
    path = f"**/orders/{failing.pk}/status/"
    await phone.page.context.route(path, lambda route: route.fulfill(**answer))
    await phone.open()
    await phone.go("delivering")
    await phone.choose()
    await phone.go("delivering")
    await wait_until_true(lambda: Order.objects.filter(pk=other.pk, status=OrderStatus.DELIVERING).exists())
    await until(phone.page, "document.querySelectorAll('#waiting li').length === 1")
    await phone.page.context.unroute(path)
    await phone.wait_for_server(failing, "delivering")


async def test_only_one_of_several_tabs_sends(phone: Phone, driver: Driver, site: Site) -> None:
    order = await make(make_stop)(driver)
    await phone.open()
    second = Phone(await phone.page.context.new_page(), site, driver)
    await second.open()
    requests: list[str] = []
    phone.page.context.on(
        "request", lambda request: requests.append(request.url) if request.method == "PATCH" else None
    )
    await phone.page.context.set_offline(True)
    await phone.go("delivering")
    await second.page.locator("#next [data-status=delivering] .pending").wait_for()
    await second.go("arriving")
    await phone.page.context.set_offline(False)
    await phone.wait_for_server(order, "arriving")
    await second.wait_for_server(order, "arriving")
    assert len(requests) == len(await driver_reports(order)) == 2
    await second.page.close()


@pytest.mark.long
async def test_tab_steals_the_lock_of_a_frozen_tab(phone: Phone, driver: Driver, site: Site) -> None:
    order = await make(make_stop)(driver)
    await phone.open()
    stalled: list[Route] = []

    async def stall(route: Route) -> None:
        stalled.append(route)

    await phone.page.route("**/status/", stall)
    await phone.go("delivering")
    await wait_until_true(lambda: bool(stalled))
    cdp = await phone.page.context.new_cdp_session(phone.page)
    await cdp.send("Page.setWebLifecycleState", {"state": "frozen"})
    page = await phone.page.context.new_page()
    await page.clock.install()
    second = Phone(page, site, driver)
    await second.open()
    await second.go("arriving")
    await page.clock.fast_forward(12_000)
    await second.wait_for_server(order, "arriving")
    # The frozen tab resumes and sends its request, which the server already executed.
    await cdp.send("Page.setWebLifecycleState", {"state": "active"})
    await stalled[0].continue_()
    await phone.wait_for_server(order, "arriving")
    assert [row.to_status for row in await driver_reports(order)] == ["delivering", "arriving"]
    assert await phone.page.locator("#refused .notice").count() == 0
    await page.close()


@pytest.mark.long
async def test_slow_working_tab_keeps_the_lock(phone: Phone, driver: Driver, site: Site) -> None:
    order = await make(make_stop)(driver)
    await phone.open()
    stalled: list[Route] = []
    requests: list[str] = []

    async def stall(route: Route) -> None:
        if stalled:
            await route.continue_()
        else:
            stalled.append(route)

    await phone.page.route("**/status/", stall)
    await phone.go("delivering")
    await wait_until_true(lambda: bool(stalled))
    page = await phone.page.context.new_page()
    await page.clock.install()
    second = Phone(page, site, driver)
    page.on("request", lambda request: requests.append(request.url) if request.method == "PATCH" else None)
    await second.open()
    await second.go("arriving")
    alive = "new Promise((resolve) => (new BroadcastChannel('lucky-gas-driver-%d-alive').onmessage = resolve))"
    for _ in "12":
        await page.evaluate(alive % driver.user.pk)
        await page.clock.fast_forward(5_000)
    assert requests == []
    await stalled[0].continue_()
    await second.wait_for_server(order, "arriving")
    await page.close()


async def test_refused_report_shows_until_dismissed_and_blocks_no_other_stop(phone: Phone, driver: Driver) -> None:
    refused, other = await make(make_stop)(driver), await make(make_stop)(driver)
    await phone.open()
    await phone.page.context.set_offline(True)
    await phone.go("delivering")
    await phone.go("arriving")
    await make(refused.transition_to)(OrderStatus.CANCELLED, reason="改日再訂")
    await phone.choose()
    await phone.go("delivering")
    await phone.page.context.set_offline(False)
    await phone.wait_for_server(other, "delivering")
    notice = phone.page.locator("#refused .notice")
    await notice.wait_for()
    assert refused.order_number in await notice.inner_text()
    assert await notice.locator("[data-show=later]").is_visible()
    assert (await reload_order(refused)).status == OrderStatus.CANCELLED
    await phone.page.reload()
    await notice.get_by_role("button").click()
    await notice.wait_for(state="hidden")
    await phone.page.reload()
    await phone.wait_until_live()
    assert await notice.count() == 0


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
    # The first driver signs in again, and the page sends their waiting reports. The old page is closed before.
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
    assert await count_waiting(phone) == 1
    await phone.page.locator("#sign-in a").click()
    await phone.page.fill("[name=username]", driver.user.username)
    await phone.page.fill("[name=password]", PASSWORD)
    await phone.page.locator("form.card [type=submit]").click()
    await phone.wait_for_server(order, "delivering")


async def test_page_can_be_installed(phone: Phone) -> None:
    await phone.open()
    await phone.wait_until_installed()
    session = await phone.page.context.new_cdp_session(phone.page)
    manifest = await session.send("Page.getAppManifest")
    assert manifest["errors"] == []
    assert manifest["url"].endswith("/driver/manifest.webmanifest")
    wrong = await session.send("Page.getInstallabilityErrors")
    # The context of a test is like a private window, in which no app can be installed.
    assert [error["errorId"] for error in wrong["installabilityErrors"]] in ([], ["in-incognito"])


# No report is lost if the browser closes or deletes its database, or has none.


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
    """Deletes the origin's data, as a browser does when it needs space."""
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


# Failed requests are retried at once when the connection is back.


# Makes the pauses between attempts as long as possible.
LONGEST_PAUSES = "Math.random = () => 0.999"
# Cancels the page's timers.
NO_TIMERS = "for (let timer = setTimeout(() => {}); timer > 0; timer--) clearTimeout(timer)"


async def test_reconnected_page_retries_a_failed_read_at_once(phone: Phone, driver: Driver) -> None:
    attempts = 0

    async def fail_three_times(route: Route) -> None:
        nonlocal attempts
        attempts += 1
        await (route.abort() if attempts <= 3 else route.continue_())

    await phone.page.add_init_script(LONGEST_PAUSES)
    await phone.open()
    await phone.page.context.route("**/api/v1/orders/*/", fail_three_times)
    new_stop = await sync_to_async(make_stop)(driver)
    # The attempts come at once and after pauses of 0.5, 1 and 2 seconds. The next pause would be 4 seconds.
    await wait_for_async(lambda: attempts >= 3)
    await phone.page.evaluate(NO_TIMERS)
    await phone.page.context.set_offline(True)
    await until(phone.page, "document.querySelector('connection-status').dataset.state === 'offline'")
    await phone.page.context.set_offline(False)
    await phone.wait_for_text("#next h2", new_stop.customer.name)


# SMS about a driver who was offline for two minutes: customers get no stale message.


# Sets the phone's clock back by a number of seconds.
SET_BACK = """(seconds) => {
  window.realNow ??= Date.now;
  Date.now = () => window.realNow() - seconds * 1000;
}"""
# Counts the requests under way.
COUNT_REQUESTS = """
window.requests = 0;
const originalFetch = window.fetch;
window.fetch = (...values) => {
  window.requests += 1;
  return originalFetch(...values).finally(() => (window.requests -= 1));
};
"""
# Fails requests in the page, because requests through a service worker may still be online.
FAIL_REQUESTS = """() => {
  window.realFetch = window.fetch;
  window.fetch = () => Promise.reject(new TypeError("no connection"));
}"""
# Sets the page's clock offset as if the phone's clock had been an hour fast.
SET_FAST_OFFSET = """() => import("/static/web/server-clock.js").then(({ setServerTime }) => {
  const real = Date.now;
  const stamp = real() - 120_000;
  Date.now = () => real() + 3_600_000 - 120_000;
  setServerTime(stamp, 0);
  Date.now = real;
})"""


def make_old_stop(driver: Driver) -> Order:
    """A stop that was created an hour ago and has no messages."""
    order = make_stop(driver)
    earlier = order.created_at - timedelta(hours=1)
    Order.objects.filter(pk=order.pk).unannounced().update(created_at=earlier)
    order.history.update(at=earlier)
    NotificationHistory.objects.filter(order=order).unannounced().delete()
    return order


def messages(order: Order) -> dict[str, tuple[str, str]]:
    """The status and its reason of each message about the order, by kind."""
    rows = NotificationHistory.objects.filter(order=order)
    return {row.kind: (row.status, row.status_reason) for row in rows}


async def set_back(phone: Phone, seconds: int) -> None:
    await phone.page.evaluate(SET_BACK, seconds)


async def open_and_go_offline(phone: Phone) -> None:
    """Goes offline after all requests under way have ended, because their responses would correct the clock offset."""
    await phone.page.add_init_script(COUNT_REQUESTS)
    await phone.open()
    await phone.wait_until_installed()
    await phone.page.evaluate(FAIL_REQUESTS)
    await phone.page.context.set_offline(True)
    await until(phone.page, "document.querySelector('connection-status').dataset.state === 'offline'")
    await until(phone.page, "window.requests === 0")


async def reconnect(phone: Phone) -> None:
    await set_back(phone, 0)
    await phone.page.evaluate("() => { window.fetch = window.realFetch; }")
    await phone.page.context.set_offline(False)


OVERTAKEN = ("cancelled", "overtaken")


async def test_offline_delivery_sends_one_sms(phone: Phone, driver: Driver) -> None:
    order = await make(make_old_stop)(driver)
    await open_and_go_offline(phone)
    await set_back(phone, 120)
    await phone.go("delivering")
    await set_back(phone, 60)
    await phone.go("arriving")
    await set_back(phone, 0)
    await phone.go()
    await phone.page.locator("#proof-serial").fill("CYL-1")
    await phone.confirm()
    await reconnect(phone)
    await phone.wait_for_server(order, "delivered")
    expected = {"driver_on_the_way": OVERTAKEN, "driver_arriving": OVERTAKEN, "order_delivered": ("sent", "")}
    await wait_until_true(lambda: messages(order) == expected)


@pytest.mark.long
async def test_offline_failure_sends_no_sms_if_no_departure_sms_was_sent(phone: Phone, driver: Driver) -> None:
    order = await make(make_old_stop)(driver)
    await open_and_go_offline(phone)
    await set_back(phone, 120)
    await phone.go("delivering")
    await set_back(phone, 60)
    await phone.press("failed")
    await phone.page.locator("#failed input[type=radio]").first.check()
    await phone.page.locator("#failed [type=submit]").click()
    await reconnect(phone)
    await phone.wait_for_server(order, "failed")
    expected = {"driver_on_the_way": OVERTAKEN, "delivery_failed": ("suppressed", "switched_off")}
    await wait_until_true(lambda: messages(order) == expected)


async def test_departure_sms_is_sent_although_the_phones_clock_was_set(phone: Phone, driver: Driver) -> None:
    order = await make(make_old_stop)(driver)
    await open_and_go_offline(phone)
    # 120 s ago, on a clock that is an hour fast.
    await phone.page.evaluate(SET_FAST_OFFSET)
    await set_back(phone, 120 - 3_600)
    await phone.go("delivering")
    await reconnect(phone)
    await phone.wait_for_server(order, "delivering")
    await wait_until_true(lambda: messages(order) == {"driver_on_the_way": ("sent", "")})


async def test_offline_departure_sms_is_sent_once_no_report_waits(phone: Phone, driver: Driver) -> None:
    order = await make(make_old_stop)(driver)
    await open_and_go_offline(phone)
    await set_back(phone, 120)
    await phone.go("delivering")
    await reconnect(phone)
    await phone.wait_for_server(order, "delivering")
    await wait_until_true(lambda: messages(order) == {"driver_on_the_way": ("sent", "")})
