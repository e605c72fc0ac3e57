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


# Moves stored reports two hours back, as if the phone had been offline for that long.
TWO_HOURS_AGO = """() => {
  const now = Date.now;
  Date.now = () => now() - 7_200_000;
}"""


# Counts the stops and reports stored on the phone, and checks whether the page is cached.
KEPT = """async (user) => {
  const asked = indexedDB.open(`lucky-gas-driver-${user}`);
  const db = await new Promise((resolve) => (asked.onsuccess = () => resolve(asked.result)));
  const count = (name) => new Promise((resolve) => {
    const request = db.transaction(name).objectStore(name).count();
    request.onsuccess = () => resolve(request.result);
  });
  const found = [await count("stops"), await count("queue"), await caches.has("driver-pages")];
  db.close();
  return found;
}"""


async def left_behind(phone: Phone) -> list[object]:
    kept: list[object] = await phone.page.evaluate(KEPT, phone.driver.user.pk)
    return kept


async def waiting(phone: Phone) -> int:
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
    assert await waiting(phone) == 4
    await phone.page.reload()
    await phone.wait_for_text("#next h2", second.customer.name)
    await phone.wait_for_text("#done .stop", first.customer.name)
    await phone.page.locator("#stale").wait_for()
    assert await waiting(phone) == 4
    await asyncio.to_thread(phone.site.start)
    await phone.page.context.set_offline(False)
    await phone.wait_for_server(first, "delivered")
    said = await driver_reports(first)
    assert [(row.to_status, row.source, row.sent_later) for row in said] == [
        ("delivering", "page", True), ("arriving", "page", True), ("delivered", "page", True),
    ]  # fmt: skip
    assert timedelta(hours=1, minutes=58) < said[0].recorded_at - said[0].at < timedelta(hours=2, minutes=2)
    assert said[0].at <= said[1].at <= said[2].at
    proof = await make(first.confirmations.get)()
    assert (proof.confirmation_type, proof.cylinder_serials) == ("signature", ["CYL-1"])
    assert await make(ProofImage.objects.filter(order=first).count)() == 1
    await phone.wait_until_live()
    assert await phone.page.locator(".pending:visible").count() == 0


@pytest.mark.long
async def test_server_killed_during_a_report_loses_and_repeats_nothing(phone: Phone, driver: Driver) -> None:
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
    said: list[str] = []
    phone.page.context.on("request", lambda request: said.append(request.url) if request.method == "PATCH" else None)
    await phone.page.context.set_offline(True)
    await phone.go("delivering")
    await second.page.locator("#next [data-status=delivering] .pending").wait_for()
    await second.go("arriving")
    await phone.page.context.set_offline(False)
    await phone.wait_for_server(order, "arriving")
    await second.wait_for_server(order, "arriving")
    assert len(said) == len(await driver_reports(order)) == 2
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
    # The frozen tab resumes with its request, which the server already knows.
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
    asked: list[str] = []

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
    page.on("request", lambda request: asked.append(request.url) if request.method == "PATCH" else None)
    await second.open()
    await second.go("arriving")
    alive = "new Promise((resolve) => (new BroadcastChannel('lucky-gas-driver-%d-alive').onmessage = resolve))"
    for _ in "12":
        await page.evaluate(alive % driver.user.pk)
        await page.clock.fast_forward(5_000)
    assert asked == []
    await stalled[0].continue_()
    await second.wait_for_server(order, "arriving")
    await page.close()


async def test_refusal_stays_until_read_and_does_not_block_others(phone: Phone, driver: Driver) -> None:
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


async def test_second_driver_on_the_phone_neither_sees_nor_sends_the_firsts_data(
    phone: Phone, driver: Driver, site: Site
) -> None:
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
    # The first driver signs in again, and their waiting reports are sent. The abandoned page does not notice.
    await phone.page.goto("about:blank")
    await sign_in(phone.page, site, driver.user, "/driver/")
    await phone.wait_for_server(order, "delivering")


async def test_sign_out_warns_and_deletes_the_stops(phone: Phone, driver: Driver) -> None:
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
    assert await left_behind(phone) == [0, 1, False]
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
    assert await left_behind(phone) == [1, 0, True]
    await phone.page.locator("form[action$='/logout/'] button").evaluate("(button) => button.click()")
    await phone.page.wait_for_url("**/accounts/login/")
    await until(phone.page, f"({KEPT})({driver.user.pk}).then((kept) => kept.join() === '0,0,false')")


async def test_expired_session_asks_to_sign_in_and_resumes(phone: Phone, driver: Driver) -> None:
    order = await make(make_stop)(driver)
    await phone.open()
    await phone.page.context.clear_cookies(name="sessionid")
    await phone.go("delivering")
    await phone.page.locator("#sign-in").wait_for()
    assert await waiting(phone) == 1
    await phone.page.locator("#sign-in a").click()
    await phone.page.fill("[name=username]", driver.user.username)
    await phone.page.fill("[name=password]", PASSWORD)
    await phone.page.locator("form.card [type=submit]").click()
    await phone.wait_for_server(order, "delivering")


async def test_the_page_can_be_installed(phone: Phone) -> None:
    await phone.open()
    await phone.wait_until_installed()
    session = await phone.page.context.new_cdp_session(phone.page)
    manifest = await session.send("Page.getAppManifest")
    assert manifest["errors"] == []
    assert manifest["url"].endswith("/driver/manifest.webmanifest")
    wrong = await session.send("Page.getInstallabilityErrors")
    # The context of a test is like a private window, where nothing can be installed.
    assert [error["errorId"] for error in wrong["installabilityErrors"]] in ([], ["in-incognito"])


# No report is lost if the browser closes or deletes its database, or has none.


# Records every database connection of the page, so that a test can break it as a browser would.
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
    await phone.wait_until_installed()
    return phone.page


async def clear(phone: Phone) -> None:
    """Deletes the origin's data, as a browser does when it needs space."""
    session = await phone.page.context.new_cdp_session(phone.page)
    await session.send("Storage.clearDataForOrigin", {"origin": phone.site.url, "storageTypes": "indexeddb"})


@pytest.mark.parametrize(
    "trouble",
    [CLOSED, *(pytest.param(how, marks=pytest.mark.long) for how in (LOST, ABORTED))],
    ids=["closed", "lost", "aborted"],
)
async def test_closed_database_is_reopened(phone: Phone, driver: Driver, trouble: str) -> None:
    order = await make(make_stop)(driver)
    page = await opened(phone)
    await page.context.set_offline(True)
    await phone.go("delivering")
    await page.evaluate(trouble)
    await phone.go("arriving")
    assert await page.locator("#waiting li").count() == 2
    assert await page.locator("notification-toasts .toast").count() == 0
    assert await page.locator("#unsaved").is_hidden()
    await page.reload()
    await until(page, "document.querySelectorAll('#waiting li').length === 2")
    await page.evaluate(trouble)
    await page.context.set_offline(False)
    await phone.wait_for_server(order, "arriving")
    assert [row.to_status for row in await driver_reports(order)] == ["delivering", "arriving"]


async def test_waiting_reports_survive_a_deleted_database(phone: Phone, driver: Driver) -> None:
    order, other = await make(make_stop)(driver), await make(make_stop)(driver)
    page = await opened(phone)
    await page.context.set_offline(True)
    await phone.go("delivering")
    await phone.go("arriving")
    await clear(phone)
    await phone.press("failed")
    await page.locator("#failed input[type=radio]").first.check()
    await page.locator("#failed [type=submit]").click()
    await phone.wait_for_text("#done .stop", order.customer.name)
    await page.reload()
    await until(page, "document.querySelectorAll('#waiting li').length === 3")
    # The stops too.
    await phone.wait_for_text("#next h2", other.customer.name)
    await page.context.set_offline(False)
    await phone.wait_for_server(order, "failed")
    assert [row.to_status for row in await driver_reports(order)] == ["delivering", "arriving", "failed"]


@pytest.mark.long
async def test_waiting_reports_are_rewritten_on_an_idle_page(phone: Phone, driver: Driver) -> None:
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
    await phone.wait_for_server(order, "delivered")


@pytest.mark.long
async def test_page_does_not_block_database_deletion_and_stores_the_next_press(phone: Phone, driver: Driver) -> None:
    order = await make(make_stop)(driver)
    page = await opened(phone)
    await page.context.set_offline(True)
    await phone.go("delivering")
    await page.evaluate(DELETED, driver.user.pk)
    await phone.go("arriving")
    await page.reload()
    await until(page, "document.querySelectorAll('#waiting li').length === 2")
    await page.context.set_offline(False)
    await phone.wait_for_server(order, "arriving")


@pytest.mark.long
async def test_without_a_database_reports_are_sent_and_the_driver_is_warned(phone: Phone, driver: Driver) -> None:
    order = await make(make_stop)(driver)
    page = await opened(phone)
    await page.evaluate(BROKEN)
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
    await page.evaluate(WHOLE)
    await page.locator("#unsaved").wait_for(state="hidden")
    await page.reload()
    await until(page, "document.querySelectorAll('#waiting li').length === 1")
    await page.context.unroute("**/status/")
    await phone.wait_for_server(order, "arriving")
    assert [row.to_status for row in await driver_reports(order)] == ["delivering", "arriving"]


@pytest.mark.long
async def test_reports_from_before_a_database_failure_are_sent(phone: Phone, driver: Driver) -> None:
    first, second = await make(make_stop)(driver), await make(make_stop)(driver)
    page = await opened(phone)
    await page.context.set_offline(True)
    await phone.go("delivering")
    await phone.choose()
    await phone.go("delivering")
    await page.evaluate(BROKEN)
    await page.context.set_offline(False)
    await wait_until_true(lambda: Order.objects.filter(status=OrderStatus.DELIVERING).count() == 2)
    await phone.wait_for_server(first, "delivering")
    await phone.wait_for_server(second, "delivering")
    assert await page.locator(".pending:visible").count() == 0


async def test_sign_out_warns_of_unsaved_reports(phone: Phone, driver: Driver) -> None:
    await make(make_stop)(driver)
    page = await opened(phone)
    await page.evaluate(BROKEN)
    await page.context.route("**/status/", lambda route: route.abort())
    await phone.go("delivering")
    await page.locator("#unsaved").wait_for()
    await page.locator(".account summary").click()
    await page.locator("#sign-out button").click()
    await phone.wait_for_text("#leave", "lost if you sign out")


# Failed requests are retried at once when the connection is back.


# Makes the waits between attempts the longest possible.
UNLUCKY = "Math.random = () => 0.999"
# Cancels the page's timers.
NO_TIMERS = "for (let timer = setTimeout(() => {}); timer > 0; timer--) clearTimeout(timer)"


async def test_reconnected_page_retries_a_failed_read_at_once(phone: Phone, driver: Driver) -> None:
    tries = 0

    async def fail_three_times(route: Route) -> None:
        nonlocal tries
        tries += 1
        await (route.abort() if tries <= 3 else route.continue_())

    await phone.page.add_init_script(UNLUCKY)
    await phone.open()
    await phone.page.context.route("**/api/v1/orders/*/", fail_three_times)
    came = await sync_to_async(make_stop)(driver)
    # Attempts at once and after waits of 0.5, 1 and 2 seconds; the next would come after 4.
    await wait_for_async(lambda: tries >= 3)
    await phone.page.evaluate(NO_TIMERS)
    await phone.page.context.set_offline(True)
    await until(phone.page, "document.querySelector('connection-status').dataset.state === 'offline'")
    await phone.page.context.set_offline(False)
    await phone.wait_for_text("#next h2", came.customer.name)


# SMS about a driver who was offline for two minutes: customers get no stale message.


# Sets the phone's clock back by some seconds.
AGO = """(seconds) => {
  window.realNow ??= Date.now;
  Date.now = () => window.realNow() - seconds * 1000;
}"""
# Counts the requests under way.
FLYING = """
window.flying = 0;
const counted = window.fetch;
window.fetch = (...values) => {
  window.flying += 1;
  return counted(...values).finally(() => (window.flying -= 1));
};
"""
# Fails requests in the page, because those through a service worker may still be online.
UNHEARD = """() => {
  window.realFetch = window.fetch;
  window.fetch = () => Promise.reject(new TypeError("no line"));
}"""
# Sets the page's clock offset as if the phone's clock had been an hour fast.
HEARD_FAST = """() => import("/static/web/server-clock.js").then(({ setServerTime }) => {
  const real = Date.now;
  const stamp = real() - 120_000;
  Date.now = () => real() + 3_600_000 - 120_000;
  setServerTime(stamp, 0);
  Date.now = real;
})"""


def make_old_stop(driver: Driver) -> Order:
    order = make_stop(driver)
    earlier = order.created_at - timedelta(hours=1)
    Order.objects.filter(pk=order.pk).unannounced().update(created_at=earlier)
    order.history.update(at=earlier)
    NotificationHistory.objects.filter(order=order).unannounced().delete()
    return order


def messages(order: Order) -> dict[str, tuple[str, str]]:
    rows = NotificationHistory.objects.filter(order=order)
    return {row.kind: (row.status, row.status_reason) for row in rows}


async def ago(phone: Phone, seconds: int) -> None:
    await phone.page.evaluate(AGO, seconds)


async def open_and_lose_line(phone: Phone) -> None:
    """Waits for requests under way first: their responses would correct the clock offset."""
    await phone.page.add_init_script(FLYING)
    await phone.open()
    await phone.wait_until_installed()
    await phone.page.evaluate(UNHEARD)
    await phone.page.context.set_offline(True)
    await until(phone.page, "document.querySelector('connection-status').dataset.state === 'offline'")
    await until(phone.page, "window.flying === 0")


async def back(phone: Phone) -> None:
    await ago(phone, 0)
    await phone.page.evaluate("() => { window.fetch = window.realFetch; }")
    await phone.page.context.set_offline(False)


OVERTAKEN = ("cancelled", "overtaken")


async def test_offline_delivery_sends_one_sms(phone: Phone, driver: Driver) -> None:
    order = await make(make_old_stop)(driver)
    await open_and_lose_line(phone)
    await ago(phone, 120)
    await phone.go("delivering")
    await ago(phone, 60)
    await phone.go("arriving")
    await ago(phone, 0)
    await phone.go()
    await phone.page.locator("#proof-serial").fill("CYL-1")
    await phone.confirm()
    await back(phone)
    await phone.wait_for_server(order, "delivered")
    expected = {"driver_on_the_way": OVERTAKEN, "driver_arriving": OVERTAKEN, "order_delivered": ("sent", "")}
    await wait_until_true(lambda: messages(order) == expected)


@pytest.mark.long
async def test_offline_failure_sends_no_sms_if_the_departure_was_not_announced(phone: Phone, driver: Driver) -> None:
    order = await make(make_old_stop)(driver)
    await open_and_lose_line(phone)
    await ago(phone, 120)
    await phone.go("delivering")
    await ago(phone, 60)
    await phone.press("failed")
    await phone.page.locator("#failed input[type=radio]").first.check()
    await phone.page.locator("#failed [type=submit]").click()
    await back(phone)
    await phone.wait_for_server(order, "failed")
    expected = {"driver_on_the_way": OVERTAKEN, "delivery_failed": ("suppressed", "switched_off")}
    await wait_until_true(lambda: messages(order) == expected)


async def test_departure_sms_is_sent_at_once_although_the_clock_was_set(phone: Phone, driver: Driver) -> None:
    order = await make(make_old_stop)(driver)
    await open_and_lose_line(phone)
    # 120 s ago, on a clock that is an hour fast.
    await phone.page.evaluate(HEARD_FAST)
    await ago(phone, 120 - 3_600)
    await phone.go("delivering")
    await back(phone)
    await phone.wait_for_server(order, "delivering")
    await wait_until_true(lambda: messages(order) == {"driver_on_the_way": ("sent", "")})


async def test_offline_departure_sms_is_sent_once_no_report_waits(phone: Phone, driver: Driver) -> None:
    order = await make(make_old_stop)(driver)
    await open_and_lose_line(phone)
    await ago(phone, 120)
    await phone.go("delivering")
    await back(phone)
    await phone.wait_for_server(order, "delivering")
    await wait_until_true(lambda: messages(order) == {"driver_on_the_way": ("sent", "")})
